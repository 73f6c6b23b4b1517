"""spec.rewrapGeneration has grown: one Job moves all small parts to the active key."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core import attempts, live
from sealyard.core.conditions import stalled, under_way
from sealyard.core.jobs import rewrap_job
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation

HOW_TO_REWRAP_AGAIN = "mend it, then raise spec.rewrapGeneration to go on"


def rewrapping(situation: Situation) -> Plan | None:
    """Runs the rewrap that is asked for until it is done, or given up."""
    if situation.is_rewrapped:
        return None
    work = situation.work
    limit = situation.settings.release_backoff_limit
    if failure := attempts.failure(work, backoff_limit=limit):
        message = f"{work.ledger.name}: {failure.message}; {HOW_TO_REWRAP_AGAIN}"
        return situation.decide(stalled(failure.reason, message))
    if situation.former:
        return _after(situation, situation.former)
    if work.job:
        return _running(situation, work.job)
    wait = attempts.seconds_to_wait(work, now=situation.now, watched=situation.watched)
    return _waiting(situation, wait) if wait > 0 else _start(situation)


def _after(situation: Situation, former: ObservedJob) -> Plan:
    """One at a time: with an older keyring, a Job would zero the slot of a newer key."""
    state = live.trouble(former, now=situation.now) or under_way(
        Reason.REWRAPPING,
        f"waiting for Job {former.name}, which rewraps for generation {former.variant}",
    )
    return situation.decide(state, requeue_after=live.look_again(former, situation.now))


def _running(situation: Situation, job: ObservedJob) -> Plan:
    return situation.decide(
        live.trouble(job, now=situation.now) or under_way(Reason.REWRAPPING, _doing(job.name)),
        requeue_after=live.look_again(job, situation.now),
        quiet=situation.work.ledger.waits > 0,
    )


def _waiting(situation: Situation, seconds: float) -> Plan:
    ledger = situation.work.ledger
    reason, message = attempts.reason_to_wait(situation.work)
    return situation.decide(
        under_way(reason, f"{ledger.name}: {message}; again at {ledger.not_before}"),
        requeue_after=seconds,
        quiet=ledger.waits > 1,
    )


def _start(situation: Situation) -> Plan:
    work = situation.work
    job = rewrap_job(situation.target, situation.settings, attempt=work.next_attempt)
    name = job["metadata"]["name"]
    if name in situation.foreign_jobs:
        return situation.decide(
            stalled(
                Reason.NAME_TAKEN,
                f"Job {name} belongs to somebody else: delete it, and the rewrap goes on",
            )
        )
    return situation.decide(
        under_way(Reason.REWRAPPING, _doing(name)),
        ledger=attempts.start(work.ledger, watched=situation.watched),
        create=(job,),
        quiet=work.ledger.waits > 0,
    )


def _doing(job_name: str) -> str:
    return f"moving the small parts of all releases to the active key in Job {job_name}"
