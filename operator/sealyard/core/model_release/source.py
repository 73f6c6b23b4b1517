"""The run that the release is made from is not there, not done, or not the same any more."""

from __future__ import annotations

from sealyard.api.conditions import ConditionType, Reason
from sealyard.api.training_run import TrainingRun
from sealyard.core.attempts import Failure
from sealyard.core.checkpoint import CHECKPOINT, checkpoint_of
from sealyard.core.conditions import State, stalled, under_way
from sealyard.core.model_release.failed import give_up
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def source_not_ready(situation: Situation) -> Plan | None:
    """Waits for the run, as long as something is still to be exported."""
    if situation.works.exported and situation.lineage and situation.workspace:
        return None
    run = situation.run
    lineage = situation.release.status.lineage
    if run and situation.is_pinned and lineage and lineage.training_run_uid != run.metadata.uid:
        return give_up(situation, _replaced(run))
    if run and run.status.phase == "Succeeded":
        return _check_result(situation, run)
    if situation.works.live_jobs:
        return None
    return situation.decide("WaitingForTraining", _what_is_awaited(situation, run))


def _what_is_awaited(situation: Situation, run: TrainingRun | None) -> State:
    name = situation.release.spec.source.training_run_ref.name
    if run is None:
        return under_way(
            Reason.TRAINING_RUN_MISSING,
            f"TrainingRun {name} (spec.source.trainingRunRef.name) does not exist in namespace "
            f"{situation.release.metadata.namespace}: create it, and the release goes on",
        )
    if run.status.phase == "Failed":
        said = (c.message for c in run.status.conditions if c.type == ConditionType.READY)
        return stalled(
            Reason.TRAINING_FAILED,
            f"TrainingRun {name} failed ({next(said, 'no message')}); the release goes on if the "
            "run is opened again and succeeds",
        )
    return under_way(Reason.WAITING_FOR_TRAINING, f"waiting until TrainingRun {name} has succeeded")


def _check_result(situation: Situation, run: TrainingRun) -> Plan | None:
    if checkpoint_of(run) and run.status.dataset:
        return None
    return give_up(
        situation,
        Failure(
            Reason.INVALID_INPUT,
            f"TrainingRun {run.metadata.name} succeeded without {CHECKPOINT} among its artifacts",
        ),
    )


def _replaced(run: TrainingRun) -> Failure:
    return Failure(
        Reason.SOURCE_REPLACED,
        f"TrainingRun {run.metadata.name} was deleted and created anew while this release was "
        "being exported: create a new ModelRelease",
    )
