"""The weights to fine-tune: what the spec means, and what keeps the run from starting with them."""

from __future__ import annotations

from sealyard.api.conditions import ConditionType, Reason
from sealyard.api.training_run import PinnedWeights, TrainingRun
from sealyard.core.attempts import Failure
from sealyard.core.checkpoint import CHECKPOINT
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.failed import give_up
from sealyard.core.training_run.situation import Situation

FIELD = "spec.model.weights"


def weights_not_ready(situation: Situation) -> Plan | None:
    """Waits for the run that is to be fine-tuned, until what it made is pinned."""
    spec = situation.run.spec.model.weights
    if spec is None or spec.training_run_ref is None:
        return None
    source, weights = situation.source, situation.weights
    if weights is not None:
        return _check_source(situation, source, weights)
    if source and source.status.phase == "Succeeded":
        return give_up(
            situation,
            Failure(
                Reason.INVALID_INPUT,
                f"TrainingRun {source.metadata.name} ({FIELD}) succeeded without {CHECKPOINT} "
                "among its artifacts",
            ),
        )
    return situation.decide(
        "Pending",
        _what_is_awaited(situation, spec.training_run_ref.name),
        requeue_after=situation.seconds_left,
    )


def _check_source(
    situation: Situation, source: TrainingRun | None, weights: PinnedWeights
) -> Plan | None:
    """A run that has learnt something goes on from its own checkpoints, whatever lies there now."""
    replaced = source is not None and source.metadata.uid != weights.training_run_uid
    if not replaced or not situation.has_learnt_nothing:
        return None
    return give_up(
        situation,
        Failure(
            Reason.SOURCE_REPLACED,
            f"TrainingRun {weights.training_run} ({FIELD}) was deleted and created anew after this "
            "run had begun with the weights of the former",
        ),
    )


def _what_is_awaited(situation: Situation, name: str) -> State:
    source = situation.source
    if source is None:
        return under_way(
            Reason.TRAINING_RUN_MISSING,
            f"TrainingRun {name} ({FIELD}.trainingRunRef.name) does not exist in namespace "
            f"{situation.run.metadata.namespace}: create it, and the run goes on",
        )
    if source.status.phase == "Failed":
        said = (c.message for c in source.status.conditions if c.type == ConditionType.READY)
        return stalled(
            Reason.TRAINING_FAILED,
            f"TrainingRun {name} ({FIELD}) failed ({next(said, 'no message')}); this run goes on "
            "if that is opened again and succeeds",
        )
    return under_way(
        Reason.WAITING_FOR_TRAINING, f"waiting until TrainingRun {name} ({FIELD}) has succeeded"
    )
