"""The Job of the newest attempt has not ended: show what it does, touch nothing."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.training_run import JobRef
from sealyard.core import live
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation
from sealyard.core.training_run.stuck import patience_left


def running(situation: Situation) -> Plan | None:
    """Running once the pod runs, Pending until then."""
    job = situation.work.job
    if job is None:
        return None
    state = live.trouble(job, now=situation.now)
    if state is None and live.has_started(job):
        state = under_way(
            Reason.TRAINING, f"attempt {job.attempt} is training in {job.kind} {job.name}"
        )
    state = state or live.waiting_for_pod(job.kind, job.name)
    return situation.decide(
        "Running" if live.has_started(job) else "Pending",
        state,
        status={"jobRef": JobRef(name=job.name, uid=job.uid).to_wire()},
        requeue_after=_soonest(live.look_again(job, situation.now), patience_left(situation)),
    )


def _soonest(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None), default=None)
