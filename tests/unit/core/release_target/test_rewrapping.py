"""spec.rewrapGeneration: one Job for each value, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from sealyard.api.digests import job_name
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.release_target import reconcile
from support.builders import (
    NOW,
    SETTINGS,
    JobBuilder,
    TargetBuilder,
    a_job,
    a_release_target,
    at,
    job_names,
    ledger,
    says,
)

RESULT: dict[str, Any] = {
    "key": "kek-2",
    "releases": 3,
    "rewrapped": 4,
    "unchanged": 1,
    "skipped": 2,
}
DONE = (
    "rewrap 1 is done: of the small parts of 3 releases 4 were moved to key 'kek-2' and 1 were "
    "there already; 2 of aes-256-cbc-v1 have no such key; all 13 checks of the last probe passed"
)


def name(generation: int = 1, attempt: int = 1) -> str:
    return job_name("stores", "target-uid", Role.REWRAP, str(generation), attempt)


def doing(generation: int = 1, attempt: int = 1) -> str:
    return (
        "moving the small parts of all releases to the active key in Job "
        f"{name(generation, attempt)}"
    )


def wanted(generation: int = 1) -> TargetBuilder:
    """A target that asks for a rewrap."""
    target = a_release_target().with_spec("rewrapGeneration", generation)
    return target.of_generation(1 + generation)


def job(generation: int = 1, attempt: int = 1) -> JobBuilder:
    built = a_job(Role.REWRAP, attempt=attempt, variant=str(generation))
    return JobBuilder(replace(built.job, name=name(generation, attempt)))


def look(
    target: TargetBuilder,
    *jobs: ObservedJob,
    now: datetime = NOW,
    foreign_jobs: tuple[str, ...] = (),
) -> Plan:
    # The probe goes its own way: here it has just passed.
    probed = target.probed(now)
    return reconcile(probed.observed(*jobs, foreign_jobs=foreign_jobs), SETTINGS, now)


def rewraps(plan: Plan) -> list[str]:
    """The ledgers of rewraps."""
    return [task["name"] for task in plan.status.get("tasks", []) if task["name"] != "probe"]


def started(generation: int = 1) -> TargetBuilder:
    target = wanted(generation)
    return target.after(look(target))


def rewrapped(generation: int = 1) -> TargetBuilder:
    target = started(generation)
    return target.after(look(target, job(generation).complete(RESULT)))


def tried(target: TargetBuilder, code: int, attempt: int = 1) -> Plan:
    return look(target, job(attempt=attempt).failed(code, "why it failed"))


@pytest.mark.parametrize("generation", [None, 0])
def test_nobody_asks_for_a_rewrap(generation: int | None) -> None:
    target = a_release_target()
    if generation is not None:
        target = target.with_spec("rewrapGeneration", generation)
    plan = look(target)
    assert plan.create == ()
    assert says(plan)[2] == "Probed"
    assert rewraps(plan) == []
    assert "rewrap" not in plan.status


def test_a_new_generation_starts_one_job() -> None:
    plan = look(wanted())
    assert job_names(plan) == [name()]
    assert says(plan) == ("", "FTF", "Rewrapping", doing())
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "Rewrapping")]
    kept = ledger(plan.status, "rewrap-1")
    assert (kept["started"], kept["watched"]) == (1, "2")


@pytest.mark.parametrize("live", [job().active(), job().running()], ids=["created", "running"])
def test_while_it_runs_nothing_is_started(live: ObservedJob) -> None:
    plan = look(started(), live)
    assert plan.create == ()
    assert says(plan) == ("", "FTF", "Rewrapping", doing())
    assert plan.events == ()


def test_an_operator_killed_before_its_patch_finds_its_job() -> None:
    plan = look(wanted(), job().running())
    assert plan.create == ()
    assert ledger(plan.status, "rewrap-1")["started"] == 1


def test_a_pod_that_cannot_start_is_told() -> None:
    plan = look(started(), job().waiting("ImagePullBackOff", "no such image"))
    assert says(plan)[1:3] == ("FTF", "PodNotStarted")
    assert "no such image" in says(plan)[3]


def test_when_it_is_done_the_counts_stay() -> None:
    plan = look(started(), job().complete(RESULT))
    assert plan.create == ()
    assert says(plan) == ("", "TFF", "Rewrapped", DONE)
    assert plan.status["rewrap"] == {
        **RESULT,
        "generation": 1,
        "completedAt": "2026-11-24T12:00:00Z",
    }
    assert ledger(plan.status, "rewrap-1")["done"] is True
    assert [event.reason for event in plan.events] == ["Rewrapped"]


@pytest.mark.parametrize(
    "jobs", [(), (job().complete(RESULT),)], ids=["TTL removed it", "its Job is still there"]
)
def test_the_same_generation_never_runs_twice(jobs: tuple[ObservedJob, ...]) -> None:
    plan = look(rewrapped().of_generation(9), *jobs, now=at(9999))
    assert plan.create == ()
    assert plan.events == ()
    assert says(plan) == ("", "TFF", "Rewrapped", DONE)
    assert rewrapped().after(plan).build().status.rewrap == rewrapped().build().status.rewrap


def test_the_next_generation_starts_the_next_job_and_no_old_end_counts_for_it() -> None:
    target = rewrapped().with_spec("rewrapGeneration", 2)
    plan = look(target, job().complete(RESULT))
    assert job_names(plan) == [name(2)]
    assert says(plan)[1:3] == ("FTF", "Rewrapping")
    assert plan.status["rewrap"]["generation"] == 1
    assert rewraps(plan) == ["rewrap-2"]
    after = target.after(plan)
    done = look(after, job().complete(RESULT), job(2).complete({**RESULT, "rewrapped": 0}))
    assert done.status["rewrap"]["generation"] == 2
    assert done.status["rewrap"]["rewrapped"] == 0


def test_generations_may_be_skipped() -> None:
    assert job_names(look(rewrapped().with_spec("rewrapGeneration", 7))) == [name(7)]


def test_one_at_a_time_a_job_of_an_earlier_generation_comes_to_its_end_first() -> None:
    target = started().with_spec("rewrapGeneration", 2)
    plan = look(target, job().running())
    assert (plan.create, plan.delete) == ((), ())
    assert says(plan)[1:] == (
        "FTF",
        "Rewrapping",
        f"waiting for Job {name()}, which rewraps for generation 1",
    )
    stuck = look(target, job().waiting("ImagePullBackOff", "no such image"))
    assert (stuck.create, says(stuck)[2]) == ((), "PodNotStarted")
    assert job_names(look(target.after(plan), job().complete(RESULT))) == [name(2)]
    assert job_names(look(target.after(plan), job().failed(65, "damaged"))) == [name(2)]


@pytest.mark.parametrize(
    ("code", "reason"), [(64, "InvalidInput"), (65, "IntegrityFailed")], ids=["64", "65"]
)
def test_what_no_retry_mends_stalls_until_the_generation_grows(code: int, reason: str) -> None:
    plan = tried(started(), code)
    assert plan.create == ()
    assert says(plan) == (
        "",
        "FFT",
        reason,
        "rewrap-1: why it failed; mend it, then raise spec.rewrapGeneration to go on",
    )
    assert [event.type for event in plan.events] == ["Warning"]
    stalled = started().after(plan)
    later = look(stalled, now=at(9999))
    assert (later.create, later.events, says(later)[1]) == ((), (), "FFT")
    assert job_names(look(stalled.with_spec("rewrapGeneration", 2))) == [name(2)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(66, "InputMissing"), (69, "RemoteUnavailable"), (77, "CredentialsRefused")],
    ids=["66", "69", "77"],
)
def test_what_others_mend_is_tried_again(code: int, reason: str) -> None:
    plan = tried(started(), code)
    assert plan.create == ()
    assert says(plan) == (
        "",
        "FTF",
        reason,
        "rewrap-1: why it failed; again at 2026-11-24T12:00:10Z",
    )
    assert plan.requeue_after == 10
    waiting = started().after(plan)
    assert look(waiting, now=at(9)).create == ()
    second = look(waiting, now=at(10))
    assert job_names(second) == [name(attempt=2)]
    assert second.events == (), "the second try of many is no news"
    # It waits longer each time, and never gives up.
    again = tried(waiting.after(second), code, attempt=2)
    assert again.requeue_after == 20
    assert again.events == ()
    # A change of the spec is worth a try at once.
    assert job_names(look(waiting.of_generation(5), now=at(1))) == [name(attempt=2)]


def test_faults_are_bounded() -> None:
    target, jobs = wanted(), 0
    now = NOW
    for attempt in range(1, 9):
        plan = look(target, now=now)
        jobs += len(plan.create)
        target = target.after(plan)
        if not plan.create:
            break
        target = target.after(look(target, job(attempt=attempt).failed(1, at=now), now=now))
        now = at(3600 * attempt)
    assert jobs == 1 + SETTINGS.release_backoff_limit
    assert says(plan)[1:3] == ("FFT", "BackoffLimitExceeded")


def test_a_job_that_was_killed_is_followed_by_another_at_once() -> None:
    assert job_names(look(started(), job().failed(137))) == [name(attempt=2)]


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    plan = look(started(), job().complete(None))
    assert job_names(plan) == [name(attempt=2)]
    assert "rewrap" not in plan.status


def test_a_name_that_is_taken() -> None:
    plan = look(wanted(), foreign_jobs=(name(),))
    assert plan.create == ()
    assert says(plan)[1:] == (
        "FFT",
        "NameTaken",
        f"Job {name()} belongs to somebody else: delete it, and the rewrap goes on",
    )


def test_a_spec_that_no_job_could_work_with_starts_none() -> None:
    plan = look(wanted().with_spec("cdn.bucket", "a..b"))
    assert plan.create == ()
    assert says(plan)[1:3] == ("FFT", "InvalidSpec")


def test_an_end_is_accounted_though_the_spec_is_invalid_by_then() -> None:
    target = started().with_spec("cdn.bucket", "a..b")
    plan = look(target, job().complete(RESULT))
    assert says(plan)[2] == "InvalidSpec"
    mended = target.after(plan).with_spec("cdn.bucket", "models")
    assert says(look(mended))[2] == "Rewrapped"


def test_a_target_that_is_being_deleted_starts_nothing() -> None:
    assert look(wanted().being_deleted()) == Plan()
