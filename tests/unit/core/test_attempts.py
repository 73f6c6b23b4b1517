from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.attempts import AttemptEnd, Attempts, EndReason
from sealyard.api.conditions import Reason
from sealyard.core import attempts
from sealyard.core.attempts import Work
from sealyard.core.observed import ObservedJob
from support.builders import NOW, a_job, at, time_of
from support.specs import TRAIN_RESULT

TRAIN = Attempts(name="train", started=1)


def settle(ledger: Attempts, *jobs: ObservedJob, epoch: int | None = None) -> Work[TrainResult]:
    return attempts.settle(ledger, jobs, TrainResult.from_wire, now=NOW, epoch=epoch)


def ended(reason: EndReason, attempt: int = 1) -> AttemptEnd:
    return AttemptEnd(attempt=attempt, reason=reason, message="it ended", time=time_of(at(-60)))


@pytest.mark.parametrize(
    ("job", "reason", "counts", "delay"),
    [
        (a_job().complete(TRAIN_RESULT), EndReason.DONE, 0, None),
        (a_job().complete(None), EndReason.NO_ANSWER, 0, None),
        (a_job().complete({"epochs": "many"}), EndReason.NO_ANSWER, 0, None),
        (a_job().failed(64, "bad label"), EndReason.INVALID_INPUT, 1, None),
        (a_job().failed(65, "bad digest"), EndReason.INTEGRITY_FAILED, 1, None),
        (a_job().failed(66, "no key"), EndReason.INPUT_MISSING, 0, 10),
        (a_job().failed(69, "down"), EndReason.REMOTE_UNAVAILABLE, 0, 10),
        (a_job().failed(77, "refused"), EndReason.CREDENTIALS_REFUSED, 0, 10),
        (a_job().failed(143), EndReason.INTERRUPTED, 1, None),
        (a_job().failed(137), EndReason.INTERRUPTED, 1, None),
        (a_job().failed(143, disrupted=True), EndReason.DISRUPTED, 0, None),
        (
            a_job().failed(137, termination_reason="OOMKilled"),
            EndReason.OUT_OF_MEMORY,
            1,
            10,
        ),
        (a_job().failed(1), EndReason.FAULT, 1, 10),
        (a_job().failed(139), EndReason.FAULT, 1, 10),
        (a_job().failed(None, at=at(-11)), EndReason.INTERRUPTED, 1, None),
        (a_job().failed_without_pod(), EndReason.INTERRUPTED, 1, None),
        (
            a_job().failed_without_pod("DeadlineExceeded"),
            EndReason.DEADLINE_EXCEEDED,
            1,
            None,
        ),
    ],
)
def test_what_an_end_means(
    job: ObservedJob, reason: EndReason, counts: int, delay: int | None
) -> None:
    work = settle(TRAIN, job)
    last = work.ledger.last_end
    assert last is not None
    assert last.reason == reason
    assert work.job is None
    assert work.ledger.failures == counts
    wanted = None if delay is None else time_of(at(delay))
    assert work.ledger.not_before == wanted
    assert (work.result is not None) == (reason is EndReason.DONE) == bool(work.ledger.done)


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (a_job().failed(64, "labels/a.txt line 3: 7 columns"), "labels/a.txt line 3: 7 columns"),
        (a_job().failed(1), "pod train-1-pod failed (exit code 1)"),
        (a_job().failed(137), "pod train-1-pod was interrupted (exit code 137)"),
        (a_job().failed(143, disrupted=True), "pod train-1-pod was disrupted (exit code 143)"),
        (
            a_job().failed(137, termination_reason="OOMKilled"),
            "pod train-1-pod ran out of memory",
        ),
        (a_job().failed(None, at=at(-11)), "pod train-1-pod on node node-1 was lost"),
        (a_job().failed_without_pod(), "the pod of Job train-1 was deleted"),
        (
            a_job().failed_without_pod("DeadlineExceeded"),
            "Job train-1 ran longer than its deadline",
        ),
        (a_job().complete(None), "it ended with 0 and left no answer that can be read"),
    ],
)
def test_an_end_is_told_in_one_line(job: ObservedJob, message: str) -> None:
    last = settle(TRAIN, job).ledger.last_end
    assert last is not None
    assert last.message == message


def test_what_a_program_without_an_answer_said_last_is_kept() -> None:
    job = a_job().failed(1)
    assert job.pod is not None
    job = replace(job, pod=replace(job.pod, termination_message="Traceback\n  RuntimeError: CUDA"))
    last = settle(TRAIN, job).ledger.last_end
    assert last is not None
    assert last.message == "pod train-1-pod failed (exit code 1): Traceback RuntimeError: CUDA"


def test_a_job_that_is_gone_counts_and_is_tried_again_at_once() -> None:
    work = settle(TRAIN)
    assert work.ledger.last_end is not None
    assert work.ledger.last_end.reason == EndReason.JOB_GONE
    assert work.ledger.failures == 1
    assert attempts.seconds_to_wait(work, now=NOW, watched="1") == 0


def test_a_job_whose_start_was_not_written_down_is_found() -> None:
    work = settle(Attempts(name="train"), a_job(attempt=1).active())
    assert work.ledger.started == 1
    assert work.job is not None
    assert work.next_attempt == 2


def test_an_end_is_accounted_once() -> None:
    once = settle(TRAIN, a_job().failed(1))
    assert settle(once.ledger, a_job().failed(1)).ledger == once.ledger
    assert settle(once.ledger).ledger == once.ledger


def test_a_job_that_a_late_cache_hid_is_taken_back() -> None:
    gone = settle(TRAIN).ledger
    back = settle(gone, a_job().running())
    assert back.job is not None
    assert back.ledger.failures == 0
    assert settle(back.ledger, a_job().complete(TRAIN_RESULT)).ledger.done


@pytest.mark.parametrize(
    "job",
    [
        a_job().active(),
        a_job().waiting("ContainerCreating"),
        a_job().running(),
        a_job().failed(None, at=at(-9)),
    ],
)
def test_a_job_whose_end_is_still_to_come_is_left_alone(job: ObservedJob) -> None:
    work = settle(TRAIN, job)
    assert work.job == job
    assert work.ledger == TRAIN
    assert attempts.failure(work, backoff_limit=0) is None


def delays(code: int, count: int, termination_reason: str = "Error") -> list[float]:
    ledger = Attempts(name="train")
    found = []
    for attempt in range(1, count + 1):
        ledger = attempts.start(ledger, watched="1")
        job = a_job(attempt=attempt).failed(code, termination_reason=termination_reason)
        work = settle(ledger, job)
        found.append(attempts.seconds_to_wait(work, now=NOW, watched="1"))
        ledger = work.ledger
    return found


def test_delays_double_up_to_five_minutes() -> None:
    assert delays(69, 8) == [10, 20, 40, 80, 160, 300, 300, 300]
    assert delays(66, 3) == [10, 20, 40]
    assert delays(1, 6) == [10, 20, 40, 80, 160, 300]


def test_refused_credentials_are_tried_ever_more_slowly() -> None:
    assert delays(77, 10) == [10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800]


def test_the_first_interruption_is_followed_at_once() -> None:
    assert delays(143, 4) == [0, 10, 20, 40]


def test_answers_that_are_missing_count_from_the_fourth_on() -> None:
    ledger = Attempts(name="train")
    failures = []
    for attempt in range(1, 6):
        ledger = attempts.start(ledger, watched="1")
        ledger = settle(ledger, a_job(attempt=attempt).complete(None)).ledger
        failures.append(ledger.failures)
    assert failures == [0, 0, 0, 1, 2]


def test_waiting_for_something_else_starts_with_the_first_delay_again() -> None:
    ledger = settle(TRAIN, a_job().failed(69)).ledger
    ledger = settle(attempts.start(ledger, watched="1"), a_job(attempt=2).failed(66)).ledger
    assert (ledger.waits, ledger.not_before) == (1, time_of(at(10)))


def test_a_wait_ends_when_what_it_waits_for_changes() -> None:
    ledger = attempts.start(Attempts(name="publish"), watched="1 target/1")
    work = settle(ledger, a_job(attempt=1).failed(69))
    assert attempts.seconds_to_wait(work, now=NOW, watched="1 target/1") == 10
    assert attempts.seconds_to_wait(work, now=NOW, watched="1 target/2") == 0


@pytest.mark.parametrize(
    ("ledger", "reason", "message"),
    [
        (
            Attempts(name="train", started=1, failures=1, last_end=ended(EndReason.INVALID_INPUT)),
            Reason.INVALID_INPUT,
            "it ended",
        ),
        (
            Attempts(
                name="train", started=1, failures=1, last_end=ended(EndReason.INTEGRITY_FAILED)
            ),
            Reason.INTEGRITY_FAILED,
            "it ended",
        ),
        (
            Attempts(name="train", started=3, failures=3, last_end=ended(EndReason.FAULT, 3)),
            Reason.BACKOFF_LIMIT_EXCEEDED,
            "3 attempts failed, 2 retries were allowed; the last: it ended",
        ),
        (
            Attempts(
                name="train", started=3, failures=3, last_end=ended(EndReason.OUT_OF_MEMORY, 3)
            ),
            Reason.OUT_OF_MEMORY,
            "3 attempts failed, 2 retries were allowed; the last: it ended",
        ),
        (
            Attempts(name="train", started=9, idle=5, last_end=ended(EndReason.DISRUPTED, 9)),
            Reason.NO_PROGRESS,
            "5 attempts in a row ended without a new epoch; the last: it ended",
        ),
    ],
)
def test_when_work_is_given_up(ledger: Attempts, reason: Reason, message: str) -> None:
    assert attempts.failure(Work(ledger), backoff_limit=2) == attempts.Failure(reason, message)


@pytest.mark.parametrize(
    "ledger",
    [
        Attempts(name="train"),
        Attempts(name="train", started=2, failures=2, last_end=ended(EndReason.FAULT, 2)),
        Attempts(name="train", started=99, last_end=ended(EndReason.REMOTE_UNAVAILABLE, 99)),
        Attempts(name="train", started=1, failures=9, done=True, last_end=ended(EndReason.DONE)),
    ],
)
def test_when_there_is_hope(ledger: Attempts) -> None:
    assert attempts.failure(Work(ledger), backoff_limit=2) is None


def test_only_attempts_without_a_new_epoch_are_idle() -> None:
    ledger = Attempts(name="train")
    idle = []
    for attempt, epoch in enumerate((0, 3, 3, 3, 4, 4), start=1):
        ledger = attempts.start(ledger, watched="1")
        ledger = settle(ledger, a_job(attempt=attempt).failed(143), epoch=epoch).ledger
        idle.append(ledger.idle)
    assert idle == [1, 0, 1, 2, 0, 1]


def test_waits_for_others_are_not_idle_attempts() -> None:
    assert settle(TRAIN, a_job().failed(66), epoch=0).ledger.idle == 0


def test_reopening_forgets_failures_and_goes_on_counting() -> None:
    ledger = Attempts(
        name="train", started=4, failures=4, idle=2, last_end=ended(EndReason.INVALID_INPUT, 4)
    )
    work = settle(attempts.reopen(ledger, now=NOW), a_job(attempt=4).failed(64))
    assert attempts.failure(work, backoff_limit=0) is None
    assert attempts.seconds_to_wait(work, now=NOW, watched="") == 0
    assert (work.next_attempt, work.ledger.failures) == (5, 0)


def test_what_is_done_is_not_reopened_but_may_be_done_anew() -> None:
    done = Attempts(name="train", started=2, done=True, last_end=ended(EndReason.DONE, 2))
    assert attempts.reopen(done, now=NOW) is done
    assert not attempts.anew(done, now=NOW).done
