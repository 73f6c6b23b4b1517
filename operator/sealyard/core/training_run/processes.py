"""What several processes cannot share out; said before pods wait in a queue for it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.shares import why_not_shared
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
    chosen = situation.run.spec.hyperparameters
    rect = bool((chosen.extra or {}).get("rect"))
    problem = why_not_shared(batch=chosen.batch, rect=rect, processes=count)
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
