"""The probe of a target: what it says, and what it never does."""

from __future__ import annotations

import pytest

from sealyard.api.probe import CHECK_MEANINGS, Check
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from support.builders import (
    NOW,
    a_job,
    a_release_target,
    at,
    job_names,
    ledger,
    says,
    task_of,
    time_of,
)
from support.probing import AT_ONCE, HOUR, WIDE, failed, job, look, name, passed, result, started


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
