"""The probe of a target: when it is due, what it says, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from sealyard.api.conditions import Reason
from sealyard.api.digests import job_name
from sealyard.api.probe import CHECK_MEANINGS, Check
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.release_target import reconcile
from support.builders import (
    NOW,
    PROBE_RESULT,
    SETTINGS,
    JobBuilder,
    TargetBuilder,
    a_job,
    a_release_target,
    at,
    job_names,
    ledger,
    says,
    task_of,
    time_of,
)

HOUR = 3600
AT_ONCE = "or at once when the annotation sealyard.io/requestedAt gets a new time"
WIDE = "it can, and must not; take s3:GetObject away from the credential in Secret cdn-write"


def name(attempt: int = 1) -> str:
    return job_name("stores", "target-uid", Role.PROBE, "", attempt)


def job(attempt: int = 1) -> JobBuilder:
    built = a_job(Role.PROBE, attempt=attempt)
    return JobBuilder(replace(built.job, name=name(attempt)))


def result(generation: int = 1, **failed: str) -> dict[str, Any]:
    """An answer in which these checks failed (`cdn_write_no_get`), all others passed."""
    checks = [
        {"name": check.value, "result": "Failed", "message": failed[key]}
        if (key := check.value.replace("-", "_")) in failed
        else {"name": check.value, "result": "Passed"}
        for check in Check
    ]
    return {**PROBE_RESULT, "generation": generation, "checks": checks}


def look(
    target: TargetBuilder,
    *jobs: ObservedJob,
    now: datetime = NOW,
    foreign_jobs: tuple[str, ...] = (),
) -> Plan:
    return reconcile(target.observed(*jobs, foreign_jobs=foreign_jobs), SETTINGS, now)


def started(target: TargetBuilder | None = None) -> TargetBuilder:
    target = target or a_release_target()
    return target.after(look(target))


def passed(target: TargetBuilder | None = None) -> TargetBuilder:
    target = started(target)
    return target.after(look(target, job().complete(result())))


def failed(target: TargetBuilder | None = None) -> TargetBuilder:
    target = started(target)
    return target.after(look(target, job().complete(result(cdn_write_no_get=WIDE))))


def test_every_check_is_explained() -> None:
    assert list(CHECK_MEANINGS) == list(Check)


def test_a_new_target_is_probed_before_it_is_ready() -> None:
    plan = look(a_release_target())
    assert job_names(plan) == [name()]
    assert task_of(plan.create[0])["generation"] == 1
    assert says(plan) == (
        "",
        "FTF",
        "Probing",
        f"the logins and credentials are tried: now in Job {name()}",
    )
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "Probing")]
    kept = ledger(plan.status, "probe")
    assert (kept["started"], kept["watched"]) == (1, "1")
    assert not plan.status.keys() & {"probe", "summary"}


@pytest.mark.parametrize("live", [job().active(), job().running()], ids=["created", "running"])
def test_while_it_runs_nothing_is_started(live: ObservedJob) -> None:
    plan = look(started(), live)
    assert (plan.create, plan.events) == ((), ())
    assert says(plan)[1:3] == ("FTF", "Probing")


def test_an_operator_killed_before_its_patch_finds_its_job() -> None:
    plan = look(a_release_target(), job().running())
    assert plan.create == ()
    assert ledger(plan.status, "probe")["started"] == 1
    # What it answers counts. What it was begun for is not known, so one more follows.
    ended = look(a_release_target(), job().complete(result()))
    assert says(ended)[1:3] == ("TFF", "Probed")
    assert job_names(ended) == [name(2)]


def test_a_first_pod_that_cannot_start_is_told() -> None:
    plan = look(started(), job().waiting("ImagePullBackOff", "no such image"))
    assert says(plan)[1:3] == ("FTF", "PodNotStarted")
    assert "no such image" in says(plan)[3]


def test_a_probe_that_passed_makes_the_target_ready() -> None:
    plan = look(started(), job().complete(result()))
    assert plan.create == ()
    assert says(plan) == ("", "TFF", "Probed", "all 13 checks of the last probe passed")
    assert plan.status["summary"] == {"probe": "13/13"}
    kept = plan.status["probe"]
    assert (kept["generation"], kept["failures"]) == (1, 0)
    assert kept["completedAt"] == time_of(NOW)
    assert {check["lastTransitionTime"] for check in kept["checks"]} == {time_of(NOW)}
    assert plan.requeue_after == HOUR
    assert [event.reason for event in plan.events] == ["Probed"]


@pytest.mark.parametrize(
    ("refuses", "said"),
    [
        (True, ""),
        (False, "; the CDN lets objects be overwritten (it ignores If-None-Match)"),
        (None, ""),
    ],
)
def test_overwriting_is_reported_and_not_required(refuses: bool | None, said: str) -> None:
    target = started(passed().of_generation(2))
    answer = {**result(generation=2), "refusesOverwriting": refuses}
    if refuses is None:
        del answer["refusesOverwriting"]
    plan = look(target, job(2).complete(answer))
    assert says(plan)[1:] == ("TFF", "Probed", f"all 13 checks of the last probe passed{said}")
    # What the last probe could not tell does not stay from the one before.
    status = target.after(plan).build().status
    assert status.probe
    assert status.probe.refuses_overwriting is refuses


def test_a_check_that_failed_is_named_with_what_to_do() -> None:
    plan = look(started(), job().complete(result(cdn_write_no_get=WIDE, publisher_login="no")))
    assert plan.create == ()
    assert says(plan) == (
        "",
        "FFT",
        "ProbeFailed",
        f"publisher-login: no; cdn-write-no-get: {WIDE}; again at 2026-11-24T12:01:00Z, {AT_ONCE}",
    )
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", "ProbeFailed")]
    assert plan.status["summary"] == {"probe": "11/13"}
    assert plan.requeue_after == 60


def test_what_could_not_be_judged_is_counted() -> None:
    answer = result(publisher_login="no")
    answer["checks"][2] = {"name": "publisher-role", "result": "Unknown", "message": "not tried"}
    plan = look(started(), job().complete(answer))
    assert says(plan)[3].startswith("publisher-login: no; 1 more could not be judged; again at ")
    assert plan.status["summary"] == {"probe": "11/13"}


def test_a_check_keeps_the_time_since_when_it_says_so() -> None:
    target = started(failed().of_generation(2))
    plan = look(target, job(2).complete(result(generation=2, api_tls="expired"), at=at(300)))
    since = {check["name"]: check["lastTransitionTime"] for check in plan.status["probe"]["checks"]}
    changed = {name for name, time in since.items() if time == time_of(at(300))}
    assert changed == {"api-tls", "cdn-write-no-get"}
    assert set(since.values()) == {time_of(NOW), time_of(at(300))}


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


@pytest.mark.parametrize("jobs", [(), (job().complete(result()),)], ids=["gone", "still there"])
def test_the_same_end_counts_once(jobs: tuple[ObservedJob, ...]) -> None:
    target = failed()
    plan = look(target, *jobs, now=at(30))
    assert (plan.create, plan.events) == ((), ())
    assert target.after(plan).build().status == target.build().status


def test_a_rewrap_and_a_probe_go_side_by_side() -> None:
    target = passed().with_spec("rewrapGeneration", 1).of_generation(2)
    plan = look(target, now=at(2))
    assert [job["metadata"]["labels"]["sealyard.io/role"] for job in plan.create] == [
        "rewrap",
        "probe",
    ]
    assert says(plan)[1:3] == ("FTF", "Rewrapping")
    assert [task["name"] for task in plan.status["tasks"]] == ["rewrap-1", "probe"]
    rewrap = a_job(Role.REWRAP, variant="1").failed(65, "damaged")
    target = target.after(plan)
    plan = look(target, rewrap, job(2).complete(result(generation=2)), now=at(3))
    assert says(plan)[1:3] == ("FFT", "IntegrityFailed")
    assert plan.status["probe"]["generation"] == 2
    assert plan.requeue_after == HOUR - 3
    # A rewrap that stalls does not keep the target from being probed.
    assert job_names(look(target.after(plan), now=at(HOUR))) == [name(3)]


def test_a_name_that_is_taken() -> None:
    plan = look(a_release_target(), foreign_jobs=(name(),))
    assert plan.create == ()
    assert says(plan)[1:] == (
        "FFT",
        "NameTaken",
        f"Job {name()} belongs to somebody else: delete it, and the probe goes on",
    )


def test_a_spec_that_no_job_could_work_with_starts_none() -> None:
    plan = look(a_release_target().with_spec("cdn.bucket", "a..b"))
    assert plan.create == ()
    assert says(plan)[1:3] == ("FFT", "InvalidSpec")


def test_a_target_that_is_being_deleted_starts_nothing() -> None:
    assert look(a_release_target().being_deleted()) == Plan()
