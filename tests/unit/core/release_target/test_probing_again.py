"""When a target is probed again: after its interval, a failure, a change, an end too early."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.conditions import Reason
from sealyard.core.observed import ObservedJob
from support.builders import NOW, SETTINGS, a_release_target, at, job_names, says
from support.probing import AT_ONCE, HOUR, WIDE, failed, job, look, name, passed, result, started


@pytest.mark.parametrize(
    ("interval", "due_after"), [(None, HOUR), (60, 60), (86_400, 86_400), (0, None)]
)
def test_after_one_that_passed_the_interval(interval: int | None, due_after: int | None) -> None:
    target = a_release_target()
    if interval is not None:
        target = target.with_spec("probeIntervalSeconds", interval)
    target = passed(target)
    assert look(target).requeue_after == due_after
    if due_after is None:
        assert look(target, now=at(10**8)).create == ()
        return
    assert look(target, now=at(due_after - 1)).create == ()
    plan = look(target, now=at(due_after))
    assert job_names(plan) == [name(2)]
    # It was ready, and is until it is found not to be.
    assert says(plan)[1:3] == ("TFF", "Probed")
    assert plan.events == ()
    running = look(target.after(plan), job(2).running(), now=at(due_after + 1))
    assert (running.create, running.events, says(running)[1]) == ((), (), "TFF")


@pytest.mark.parametrize(
    ("interval", "delays"),
    [
        (HOUR, [60, 120, 240, 480, 960, 1800, 1800]),
        (300, [60, 120, 240, 300, 300]),
        (0, [60, 120, 240, 480, 960, 1800, 1800]),
    ],
)
def test_after_one_that_failed_it_comes_again_sooner(interval: int, delays: list[int]) -> None:
    target = started(a_release_target().with_spec("probeIntervalSeconds", interval))
    now = NOW
    for attempt, delay in enumerate(delays, start=1):
        ended = job(attempt).complete(result(cdn_write_no_get=WIDE), at=now)
        plan = look(target, ended, now=now)
        assert plan.requeue_after == delay
        assert says(plan)[1:3] == ("FFT", "ProbeFailed")
        assert len(plan.events) == (1 if attempt == 1 else 0)
        target, now = target.after(plan), at((now - NOW).total_seconds() + delay)
        plan = look(target, ended, now=now)
        assert job_names(plan) == [name(attempt + 1)]
        assert says(plan)[1:3] == ("FFT", "ProbeFailed")
        target = target.after(plan)
    mended = look(target, job(len(delays) + 1).complete(result(), at=now), now=now)
    assert says(mended)[1] == "TFF"
    assert mended.status["probe"]["failures"] == 0


CHANGES = pytest.mark.parametrize(
    "change",
    [lambda target: target.of_generation(2), lambda target: target.requested_at(at(1))],
    ids=["spec", "requestedAt"],
)


@CHANGES
@pytest.mark.parametrize("before", [passed, failed], ids=["passed", "failed"])
def test_a_change_is_probed_at_once(change: Any, before: Any) -> None:
    plan = look(change(before()), job().complete(result()), now=at(2))
    assert job_names(plan) == [name(2)]
    again = look(change(before()).after(plan), job(2).running(), now=at(3))
    assert again.create == ()


def test_a_changed_spec_is_not_ready_until_it_is_probed() -> None:
    target = passed().of_generation(2)
    plan = look(target, now=at(2))
    assert says(plan)[1:3] == ("FTF", "Probing")
    target = target.after(plan)
    # What a Job says of the spec before it does not count.
    late = look(target, job(2).complete(result(generation=1)), now=at(3))
    assert says(late)[1:3] == ("FTF", "Probing")
    assert says(look(target, job(2).complete(result(generation=2)), now=at(3)))[1] == "TFF"


@CHANGES
def test_a_change_while_a_job_runs_is_probed_after_it(change: Any) -> None:
    target = change(started())
    assert look(target, job().running()).create == ()
    plan = look(target, job().complete(result()), now=at(5))
    assert job_names(plan) == [name(2)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(66, "InputMissing"), (69, "RemoteUnavailable"), (77, "CredentialsRefused")],
    ids=["66", "69", "77"],
)
@pytest.mark.parametrize("before", [a_release_target, passed], ids=["never", "passed"])
def test_what_could_not_be_tried_is_told_and_tried_again(
    before: Any, code: int, reason: str
) -> None:
    target, moment = before(), at(HOUR)
    attempt = 2 if before is passed else 1
    target = target.after(look(target, now=moment))
    plan = look(target, job(attempt).failed(code, "why", at=moment), now=moment)
    assert plan.create == ()
    assert says(plan) == (
        "",
        "FTF",
        reason,
        f"probe: why; again at 2026-11-24T13:00:10Z, {AT_ONCE}",
    )
    assert [event.reason for event in plan.events] == [reason]
    # What was found out before stays.
    assert target.after(plan).build().status.probe == target.build().status.probe
    target = target.after(plan)
    assert plan.requeue_after == 10
    second = look(target, now=at(HOUR + 10))
    assert job_names(second) == [name(attempt + 1)]
    assert says(second)[1:] == ("FTF", reason, f"probe: why; now in Job {name(attempt + 1)}")
    assert second.events == ()
    target = target.after(second)
    later = job(attempt + 1).failed(code, "why", at=at(HOUR + 20))
    assert look(target, later, now=at(HOUR + 20)).requeue_after == 20
    there = job(attempt + 1).complete(result(), at=at(HOUR + 20))
    assert says(look(target, there, now=at(HOUR + 20)))[1:3] == ("TFF", "Probed")


@CHANGES
@pytest.mark.parametrize("waited", [1, 3])
def test_what_waits_is_tried_again_at_once_where_something_changed(
    change: Any, waited: int
) -> None:
    target = passed()
    for attempt in range(2, 2 + waited):
        moment = at(HOUR * attempt)
        target = target.after(look(target, now=moment))
        ended = job(attempt).failed(66, "no such key", at=moment)
        target = target.after(look(target, ended, now=moment))
    attempt, moment = 2 + waited, at(HOUR * (1 + waited) + 2)
    plan = look(change(target), now=moment)
    assert job_names(plan) == [name(attempt)]
    # What is asked again does not seem well before it answers.
    assert says(plan)[1:3] == ("FTF", "InputMissing")
    target = change(target).after(plan)
    running = look(target, job(attempt).running(), now=moment)
    doing = f"probe: no such key; now in Job {name(attempt)}"
    assert says(running)[1:] == ("FTF", "InputMissing", doing)
    # It is another probe: how long the one before has waited is forgotten.
    second = look(target, job(attempt).failed(66, "no such key", at=moment), now=moment)
    assert second.requeue_after == 10


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (job().failed(64, "broken", at=at(-60)), Reason.INVALID_INPUT),
        (job().failed_without_pod("DeadlineExceeded"), Reason.DEADLINE_EXCEEDED),
    ],
    ids=["64", "deadline"],
)
def test_one_that_is_given_up_is_followed_by_another(end: ObservedJob, reason: Reason) -> None:
    target = started()
    plan = look(target, end)
    assert says(plan)[1:3] == ("FFT", reason)
    assert says(plan)[3].endswith(f"; again at 2026-11-24T12:04:00Z, {AT_ONCE}")
    assert plan.requeue_after == 240
    target = target.after(plan)
    again = look(target, now=at(240))
    assert job_names(again) == [name(2)]
    assert says(look(target.after(again), job(2).running(), now=at(241)))[1] == "FTF"
    assert says(look(target.after(again), job(2).complete(result()), now=at(310)))[1] == "TFF"


def test_faults_are_bounded_until_the_next_one_is_due() -> None:
    target, jobs, now = a_release_target(), 0, NOW
    for attempt in range(1, 9):
        plan = look(target, now=now)
        jobs += len(plan.create)
        target = target.after(plan)
        if not plan.create:
            break
        assert says(plan)[1] == "FTF"
        target = target.after(look(target, job(attempt).failed(1, at=now), now=now))
        now = at(120 * attempt)
    assert jobs == 1 + SETTINGS.release_backoff_limit
    assert says(plan)[1:3] == ("FFT", "BackoffLimitExceeded")
    assert plan.requeue_after is not None
    assert 0 < plan.requeue_after <= 300


@pytest.mark.parametrize(
    "end", [job(2).failed(137), job(2).failed(143), job(2).complete(None)], ids=str
)
def test_an_interruption_says_nothing_about_the_target(end: ObservedJob) -> None:
    target = passed()
    target = target.after(look(target, now=at(HOUR)))
    plan = look(target, end, now=at(HOUR))
    assert job_names(plan) == [name(3)]
    assert says(plan)[1:3] == ("TFF", "Probed")
    assert plan.events == ()
