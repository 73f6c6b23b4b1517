"""spec.progressDeadlineSeconds: a pod that runs and reports nothing is ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from sealyard.api.attempts import EndReason
from sealyard.core import attempts, live
from sealyard.core.conditions import under_way
from sealyard.core.plan import JobKey, Plan
from sealyard.core.times import parse_time
from sealyard.core.training_run.situation import Situation

REPORTS_AGAIN = timedelta(minutes=1)
"""How long at most a trainer that found nobody to report to waits before it tries again."""
WHOLE_SECONDS = timedelta(seconds=1)
"""What times of Kubernetes are short of, at most."""


def stuck(situation: Situation) -> Plan | None:
    """Deletes the Job of a pod that has said nothing for too long; it counts as a failure.

    Also one that was deleted when it had: the operator may have died before it could say so.
    """
    job, left = situation.work.job, patience_left(situation)
    if job is None or left is None or left > 0:
        return None
    seconds = situation.run.spec.progress_deadline_seconds
    message = (
        f"attempt {job.attempt} reported no progress for spec.progressDeadlineSeconds ({seconds})"
    )
    ledger = attempts.interrupt(
        situation.work.ledger,
        EndReason.STUCK,
        message,
        now=situation.now,
        epoch=situation.epoch,
    )
    reason, said = attempts.reason_to_wait(attempts.Work(ledger))
    return situation.decide(
        "Pending",
        under_way(reason, said),
        ledger=ledger,
        delete=() if job.deleting else (JobKey.of(job, after_its_pods=True),),
    )


def patience_left(situation: Situation) -> float | None:
    """Seconds until a pod that goes on saying nothing is ended; None where that is nobody's wish.

    Nor where the operator has no endpoint that a pod could report to. Of a pod whose Job was
    deleted 0, if it had said nothing for so long by then, and else None.
    """
    seconds = situation.run.spec.progress_deadline_seconds
    job, began = situation.work.job, _began(situation)
    if job is None or seconds is None or began is None or situation.settings.progress is None:
        return None
    progress = situation.run.status.progress
    reported = parse_time(progress.updated_at) if progress else None
    patience = timedelta(seconds=seconds)
    if job.deleted_at is not None:
        # Since when the operator that did it could be reached is not known any more.
        last = max(began, reported) if reported else began
        return 0.0 if last + patience <= job.deleted_at + WHOLE_SECONDS else None
    since = situation.settings.reachable_since
    reachable = since + REPORTS_AGAIN if since else None
    last = max(time for time in (began, reported, reachable) if time)
    return (last + patience - situation.now).total_seconds()


def _began(situation: Situation) -> datetime | None:
    job = situation.work.job
    if job is None or job.pod is None or live.is_lost(job.pod, situation.now):
        return None
    return job.pod.started_at
