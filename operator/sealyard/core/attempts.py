"""The ledger of attempts: which Job is the current one, how it ended, and when to try again.

The operator retries, not the Job. A Job is created with `backoffLimit: 0`; what its end means is
decided here, once, and written into the ledger of its owner's status (`sealyard.api.attempts`), so
that a Job removed by TTL or by hand neither hides a failure nor repeats what is done.

The numbers that a ledger keeps make every step safe to repeat: an attempt's Job has a name made of
its number, and an end is accounted once, by `lastEnd.attempt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sealyard.api.answers import parse_answer
from sealyard.api.attempts import AttemptEnd, Attempts, EndReason
from sealyard.api.conditions import Reason
from sealyard.api.model import Model
from sealyard.core.conditions import one_line
from sealyard.core.observed import ObservedJob, ObservedPod
from sealyard.core.times import format_time, parse_time

FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=5)
LONGEST_DELAY_WHEN_REFUSED = timedelta(minutes=30)
POD_GRACE = timedelta(seconds=10)
"""How long a finished Job's pod may still lack its exit code: two watches, no common order."""

MAX_MISSING_ANSWERS = 3
"""Ends with 0 and no answer that do not count; the program re-emits it from its DONE.json."""
MAX_IDLE_ATTEMPTS = 5
LONGEST_WATCHED = 64
"""In characters, of each of up to three parts: a ledger has room for 256."""

EXIT_REASONS = {
    64: EndReason.INVALID_INPUT,
    65: EndReason.INTEGRITY_FAILED,
    66: EndReason.INPUT_MISSING,
    69: EndReason.REMOTE_UNAVAILABLE,
    77: EndReason.CREDENTIALS_REFUSED,
    137: EndReason.INTERRUPTED,
    143: EndReason.INTERRUPTED,
}
FINAL = {
    EndReason.INVALID_INPUT: Reason.INVALID_INPUT,
    EndReason.INTEGRITY_FAILED: Reason.INTEGRITY_FAILED,
    EndReason.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
}
WAITS_FOR_OTHERS = {
    EndReason.INPUT_MISSING: Reason.INPUT_MISSING,
    EndReason.REMOTE_UNAVAILABLE: Reason.REMOTE_UNAVAILABLE,
    EndReason.CREDENTIALS_REFUSED: Reason.CREDENTIALS_REFUSED,
}
INTERRUPTIONS = frozenset({EndReason.INTERRUPTED, EndReason.DISRUPTED, EndReason.JOB_GONE})
"""Not the program's fault: the first of them is followed by the next attempt at once."""
NOT_IDLE = frozenset({*WAITS_FOR_OTHERS, EndReason.SUSPENDED})
"""Without a new epoch, and no sign that there will be none."""
UNCOUNTED = frozenset({EndReason.DONE, EndReason.DISRUPTED, EndReason.SUSPENDED})

ResultT = TypeVar("ResultT", bound=Model)
ReadResult = Callable[[dict[str, Any]], ResultT]
"""Reads the result of an answer; raises ValueError where it is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Work(Generic[ResultT]):
    """One piece of work as it stands: the ledger, and at most one Job that is still running."""

    ledger: Attempts
    job: ObservedJob | None = None
    """The Job of the newest attempt, as long as it has not ended."""
    result: ResultT | None = None
    """What was answered, in the pass that first sees the work done, and in no later one."""

    @property
    def next_attempt(self) -> int:
        """The number of the next Job."""
        return self.ledger.started + 1


@dataclass(frozen=True, slots=True)
class End(Generic[ResultT]):
    """How a Job ended, before it is accounted."""

    reason: EndReason
    message: str
    exit_code: int | None = None
    result: ResultT | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a piece of work will not be tried again."""

    reason: Reason
    message: str


def settle(
    ledger: Attempts,
    jobs: Iterable[ObservedJob],
    read: ReadResult[ResultT],
    *,
    now: datetime,
    epoch: int | None = None,
) -> Work[ResultT]:
    """The work after everything that its Jobs say is accounted.

    Args:
        ledger: as read from the owner's status.
        jobs: those of this piece of work, by any attempt.
        read: makes a result of what an answer holds.
        now: when an end that nobody dated is taken to have happened.
        epoch: the furthest epoch known, for work that makes epochs and reports them.
    """
    by_attempt = {job.attempt: job for job in jobs}
    # A Job may have been created and the patch that says so lost.
    started = max([ledger.started, *by_attempt])
    ledger = ledger.model_copy(update={"started": started})
    job = by_attempt.get(started)
    accounted = ledger.last_end.attempt if ledger.last_end else 0
    if job and accounted == started and _was_taken_for_gone(ledger):
        ledger = ledger.model_copy(
            update={"failures": max(ledger.failures - 1, 0), "last_end": None, "not_before": None}
        )
    elif ledger.done or accounted >= started:
        return Work(ledger)
    if job is None:
        end: End[ResultT] = End(
            EndReason.JOB_GONE, "its Job was deleted before its end was seen", None
        )
        return Work(_account(ledger, end, now, epoch))
    if _is_live(job, now):
        return Work(ledger, job=job)
    end = classify(job, read)
    return Work(_account(ledger, end, job.finished_at or now, epoch), result=end.result)


def classify(job: ObservedJob, read: ReadResult[ResultT]) -> End[ResultT]:
    """How a finished Job ended."""
    pod = job.pod
    code = pod.exit_code if pod else None
    answer = parse_answer(pod.termination_message) if pod and pod.termination_message else None
    if job.state == "Complete":
        if answer and answer.result is not None:
            try:
                return End(EndReason.DONE, answer.message, code, read(answer.result))
            except ValueError:
                pass
        return End(EndReason.NO_ANSWER, "it ended with 0 and left no answer that can be read", code)
    reason = _reason_of_failure(job, pod)
    return End(reason, answer.message if answer else _describe(job, pod, reason), code)


def failure(work: Work[Any], *, backoff_limit: int) -> Failure | None:
    """Why the work is given up, or None while there is hope."""
    ledger = work.ledger
    last = ledger.last_end
    if ledger.done or work.job or last is None:
        return None
    reason = EndReason(last.reason or EndReason.FAULT)
    if reason in FINAL:
        return Failure(FINAL[reason], last.message or "")
    if ledger.failures > backoff_limit:
        count = f"{ledger.failures} attempt{'s' if ledger.failures > 1 else ''} failed"
        return Failure(
            Reason.OUT_OF_MEMORY
            if reason is EndReason.OUT_OF_MEMORY
            else Reason.BACKOFF_LIMIT_EXCEEDED,
            f"{count}, {_retries(backoff_limit)} allowed; the last: {last.message}",
        )
    if ledger.idle >= MAX_IDLE_ATTEMPTS:
        return Failure(
            Reason.NO_PROGRESS,
            f"{ledger.idle} attempts in a row ended without a new epoch; the last: {last.message}",
        )
    return None


def seconds_to_wait(work: Work[Any], *, now: datetime, watched: str) -> float:
    """How long the next attempt still has to wait; 0 where it may start.

    It may start at once when something changed that it was waiting for, as far as that can be
    seen: the spec of the object or of its target, or the annotation requestedAt. (Secrets cannot:
    the operator has no right to read them.)
    """
    not_before = parse_time(work.ledger.not_before)
    if not_before is None or work.ledger.watched != watched:
        return 0.0
    return max((not_before - now).total_seconds(), 0.0)


def reason_to_wait(work: Work[Any]) -> tuple[Reason, str]:
    """What a waiting piece of work waits for: a reason and the message that says what to do."""
    last = work.ledger.last_end
    if last is None:
        return Reason.PENDING, "not started yet"
    reason = EndReason(last.reason or EndReason.FAULT)
    if reason in WAITS_FOR_OTHERS:
        return WAITS_FOR_OTHERS[reason], last.message or ""
    return Reason.RETRYING, f"attempt {last.attempt} ended: {last.message}"


def watched(*parts: str | None) -> str:
    """What a waiting attempt may be waiting for, in a form that a ledger keeps and compares.

    An annotation may be as long as somebody likes: of a long part its digest is kept.
    """
    return " ".join(_short(part) for part in parts if part)


def start(ledger: Attempts, *, watched: str) -> Attempts:
    """The ledger once the Job of the next attempt is created."""
    return ledger.model_copy(
        update={"started": ledger.started + 1, "not_before": None, "watched": watched}
    )


def interrupt(
    ledger: Attempts, reason: EndReason, message: str, *, now: datetime, epoch: int | None
) -> Attempts:
    """The ledger once the operator itself ends the Job of the newest attempt.

    What the Job says of its end is not looked at: the next attempt finds what it left.

    Args:
        ledger: as far as it goes.
        reason: `SUSPENDED`, which counts for nothing, or `STUCK`, which is a failure.
        message: what is said of it.
        now: when it is ended.
        epoch: the furthest epoch known, as for `settle`.
    """
    end: End[Any] = End(reason, message)
    return _account(ledger, end, now, epoch)


def reopen(ledger: Attempts, *, now: datetime) -> Attempts:
    """The ledger of a failed piece of work that is to be tried again from scratch."""
    return ledger if ledger.done else anew(ledger, now=now)


def anew(ledger: Attempts, *, now: datetime) -> Attempts:
    """The ledger of a piece of work that is to be done again, though it may be done.

    Numbers of attempts go on, because names of Jobs are made of them.
    """
    if ledger.started == 0:
        return ledger
    return Attempts(
        name=ledger.name,
        started=ledger.started,
        last_end=AttemptEnd(
            attempt=ledger.started,
            reason=EndReason.REOPENED,
            message="tried again on request",
            time=format_time(now),
        ),
    )


def _short(part: str) -> str:
    is_short = len(part) <= LONGEST_WATCHED
    return part if is_short else hashlib.sha256(part.encode()).hexdigest()


def _retries(backoff_limit: int) -> str:
    return {0: "no retry was", 1: "1 retry was"}.get(backoff_limit, f"{backoff_limit} retries were")


def _was_taken_for_gone(ledger: Attempts) -> bool:
    """Whether the last end was only the absence of its Job, which a late cache may show too."""
    return ledger.last_end is not None and ledger.last_end.reason == EndReason.JOB_GONE


def _is_live(job: ObservedJob, now: datetime) -> bool:
    """Whether the Job's end is still to come, or has come and its pod's is not yet to be seen."""
    if job.state == "Active":
        return True
    if job.pod and job.pod.exit_code is not None:
        return False
    return job.finished_at is not None and now < job.finished_at + POD_GRACE


def _reason_of_failure(job: ObservedJob, pod: ObservedPod | None) -> EndReason:
    if job.failure_reason == "DeadlineExceeded":
        return EndReason.DEADLINE_EXCEEDED
    if pod and pod.termination_reason == "OOMKilled":
        return EndReason.OUT_OF_MEMORY
    if pod and pod.disrupted:
        return EndReason.DISRUPTED
    if pod is None or pod.exit_code is None:
        return EndReason.INTERRUPTED
    return EXIT_REASONS.get(pod.exit_code, EndReason.FAULT)


def _describe(job: ObservedJob, pod: ObservedPod | None, reason: EndReason) -> str:
    """What a person needs to know where the program itself said nothing."""
    if reason is EndReason.DEADLINE_EXCEEDED:
        return f"{job.kind} {job.name} ran longer than its deadline"
    if pod is None:
        return f"the pod of {job.kind} {job.name} was deleted"
    if reason is EndReason.OUT_OF_MEMORY:
        return f"pod {pod.name} ran out of memory"
    if pod.exit_code is None:
        where = f" on node {pod.node}" if pod.node else ""
        return f"pod {pod.name}{where} was lost"
    said = f": {one_line(pod.termination_message)[-300:]}" if pod.termination_message else ""
    kind = {EndReason.INTERRUPTED: "interrupted", EndReason.DISRUPTED: "disrupted"}
    how = kind.get(reason, "failed")
    return f"pod {pod.name} was {how} (exit code {pod.exit_code}){said}".replace(
        "was failed", "failed"
    )


def _account(ledger: Attempts, end: End[Any], ended_at: datetime, epoch: int | None) -> Attempts:
    """The ledger with one more end in it."""
    last = ledger.last_end
    same = last is not None and last.reason == end.reason
    waits = ledger.waits + 1 if same and ledger.waits else 1
    counts = _counts(end.reason, waits)
    failures = ledger.failures + 1 if counts else ledger.failures
    furthest = max(ledger.epoch or 0, epoch or 0)
    gained = epoch is None or furthest > (ledger.epoch or 0)
    delay = _delay(end.reason, failures=failures, waits=waits)
    return ledger.model_copy(
        update={
            "failures": failures,
            "waits": waits if not counts or end.reason is EndReason.NO_ANSWER else 0,
            "epoch": furthest if epoch is not None else ledger.epoch,
            "idle": 0 if gained else ledger.idle + int(end.reason not in NOT_IDLE),
            "last_end": AttemptEnd(
                attempt=ledger.started,
                exit_code=end.exit_code,
                reason=end.reason,
                message=one_line(end.message),
                time=format_time(ended_at),
            ),
            "not_before": format_time(ended_at + delay) if delay else None,
            "done": True if end.reason is EndReason.DONE else None,
        }
    )


def _counts(reason: EndReason, waits: int) -> bool:
    if reason is EndReason.NO_ANSWER:
        return waits > MAX_MISSING_ANSWERS
    return reason not in WAITS_FOR_OTHERS and reason not in UNCOUNTED


def _delay(reason: EndReason, *, failures: int, waits: int) -> timedelta:
    """10 s, doubling to 5 min (30 min where credentials were refused)."""
    if reason in {EndReason.DONE, EndReason.SUSPENDED} or reason in FINAL:
        return timedelta(0)
    uncounted = reason in WAITS_FOR_OTHERS or reason in {EndReason.NO_ANSWER, EndReason.DISRUPTED}
    nth = waits if uncounted else failures
    if reason in INTERRUPTIONS or reason is EndReason.NO_ANSWER:
        nth -= 1
    if nth <= 0:
        return timedelta(0)
    longest = (
        LONGEST_DELAY_WHEN_REFUSED if reason is EndReason.CREDENTIALS_REFUSED else LONGEST_DELAY
    )
    return min(FIRST_DELAY * (1 << min(nth - 1, 16)), longest)
