"""The Job of the newest attempt is suspended: Kueue has not admitted it yet, or not any more."""

from __future__ import annotations

from sealyard.api.attempts import EndReason
from sealyard.core import attempts
from sealyard.core.plan import JobKey, Plan
from sealyard.core.queue import MOVED, preempted, waiting_for_admission, waits_elsewhere
from sealyard.core.training_run.situation import Situation


def queued(situation: Situation) -> Plan | None:
    """Waits, for as long as it takes: the deadline is counted from the admission.

    What is taken back from a training is no failure of it. The Job stays, and with it its place in
    the queue; its next pod resumes from the checkpoint that the last one left.
    """
    job = situation.work.job
    if job is None or not job.suspended:
        return None
    ledger = situation.work.ledger
    gone: tuple[JobKey, ...] = ()
    wanted = situation.run.spec.queue_name
    if waits_elsewhere(job, wanted):
        ledger = attempts.interrupt(
            ledger, EndReason.SUSPENDED, MOVED, now=situation.now, epoch=situation.epoch
        )
        gone = (JobKey.of(job, after_its_pods=True),)
    return situation.decide(
        "Queued",
        preempted(job) if _was_admitted(situation) else waiting_for_admission(job),
        ledger=ledger,
        status={"startTime": None, "summary": {"eta": None}},
        delete=gone,
    )


def _was_admitted(situation: Situation) -> bool:
    """Whether its Job is the one that `running` has written down."""
    job, reference = situation.work.job, situation.run.status.job_ref
    return job is not None and reference is not None and reference.uid == job.uid
