"""What several processes cannot share out; said before pods wait in a queue for it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.compute import Compute
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def processes_unfit(situation: Situation) -> Plan | None:
    """Judged before each attempt: the profile may give another number of GPUs than to the last."""
    compute = situation.compute
    if not isinstance(compute, Compute):
        return None
    count = compute.nodes * max(compute.gpus, 1)
    problem = _problem(situation, count)
    if problem is None:
        return None
    return situation.decide(
        "Pending",
        stalled(
            Reason.INVALID_SPEC,
            f"{problem} (nodes: {compute.nodes}, gpus: {compute.gpus})",
        ),
        requeue_after=situation.seconds_left,
    )


def _problem(situation: Situation, count: int) -> str | None:
    """As the trainer would say it, once it is on its GPUs."""
    chosen = situation.run.spec.hyperparameters
    if count == 1:
        return None
    if chosen.batch % count:
        return (
            f"spec.hyperparameters.batch is {chosen.batch} and {count} processes train; "
            f"a multiple of {count} is wanted"
        )
    if (chosen.extra or {}).get("rect"):
        return f"spec.hyperparameters.extra.rect is true and {count} processes train; leave it out"
    return None
