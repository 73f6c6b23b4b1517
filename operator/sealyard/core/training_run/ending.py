"""The pod of an attempt that was ended still writes its checkpoint: the next one waits for it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core import live
from sealyard.core.conditions import under_way
from sealyard.core.plan import JobKey, Plan
from sealyard.core.training_run.situation import Situation


def ending(situation: Situation) -> Plan | None:
    """Deletes its Job once more, should that have been lost."""
    job = situation.ending
    if job is None:
        return None
    gone = () if job.deleting else (JobKey.of(job, after_its_pods=True),)
    state = live.trouble(job, now=situation.now) or under_way(
        Reason.RETRYING, f"waiting until the pod of {job.kind} {job.name} has ended"
    )
    return situation.decide(
        "Pending", state, delete=gone, requeue_after=situation.seconds_left, quiet=True
    )
