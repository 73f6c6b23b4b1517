"""A spec that only the operator can judge: names and values that ultralytics would refuse."""

from __future__ import annotations

from collections.abc import Iterator

from sealyard.api.conditions import Reason
from sealyard.api.training_run import TrainingRun
from sealyard.core.attempts import Failure
from sealyard.core.known_arguments import problems_of
from sealyard.core.plan import Plan
from sealyard.core.training_run.failed import give_up
from sealyard.core.training_run.situation import Situation


def invalid_spec(situation: Situation) -> Plan | None:
    """Judged before the first attempt; later ones run the image that accepted the spec."""
    if situation.work.ledger.started and not situation.reopening.granted:
        return None
    problems = [*problems_of(situation.run.spec), *_problems_of_weights(situation.run)]
    if not problems:
        return None
    return give_up(situation, Failure(Reason.INVALID_SPEC, "; ".join(problems)))


def _problems_of_weights(run: TrainingRun) -> Iterator[str]:
    """A run that waited for itself would wait for ever."""
    weights = run.spec.model.weights
    reference = weights.training_run_ref if weights else None
    if reference and reference.name == run.metadata.name:
        yield (
            f"spec.model.weights.trainingRunRef.name is {reference.name}, the run itself; "
            "an earlier run is wanted"
        )
