from __future__ import annotations

import pytest

from sealyard.api.secrets import Role
from support.builders import (
    SETTINGS,
    a_job,
    a_model_release,
    at,
    job_names,
    ledger,
    says,
)
from support.release_stages import (
    DONE,
    FAILED_END,
    failed,
    look,
    name,
    publishing,
    released,
    task,
    verifying,
)


def test_what_is_released_is_tidied_once() -> None:
    plan = look(released())
    assert job_names(plan) == [name(Role.TIDY)]
    assert plan.status.keys() == {"observedGeneration", "conditions", "tasks"}
    after = released().after(plan)
    assert look(after, a_job(Role.TIDY).running()).create == ()
    done = look(after, a_job(Role.TIDY).complete({"files": 1, "bytes": 9}))
    assert ledger(done.status, "tidy")["done"] is True
    assert look(after.after(done)).create == ()


def test_tidying_is_tried_again_and_given_up_with_an_event() -> None:
    release = released().with_status(
        tasks=[*released().document["status"]["tasks"], task("tidy", failures=3)]
    )
    plan = look(release, a_job(Role.TIDY).failed(1))
    assert [(e.type, e.reason) for e in plan.events] == [("Warning", "TidyFailed")]
    assert plan.create == ()
    again = look(release.after(plan), a_job(Role.TIDY).failed(1))
    assert again.events == ()
    assert again.create == ()


def test_there_is_nothing_to_tidy_where_the_workspace_is_gone() -> None:
    assert look(released(), claims=()).create == ()
    never = failed(a_model_release(), at_time=-999_999)
    assert look(never).create == ()


def test_the_exports_of_a_failed_release_stay_a_day() -> None:
    release = failed(publishing(), task("publish", failures=1, lastEnd=FAILED_END))
    plan = look(release)
    assert plan.create == ()
    assert plan.requeue_after == SETTINGS.failed_release_retention_seconds - 60
    old = failed(publishing(), task("publish", failures=1, lastEnd=FAILED_END), at_time=-86_401)
    assert job_names(look(old)) == [name(Role.TIDY)]


@pytest.mark.parametrize("phase", ["Released", "Failed"])
def test_the_end_is_final(phase: str) -> None:
    release = released().with_status(phase=phase).of_generation(7)
    plan = look(release, run=None, target=None, claims=())
    assert plan.create == ()
    assert plan.delete == ()
    assert "phase" not in plan.status
    assert plan.status["observedGeneration"] == 7


def test_a_request_reopens_where_the_release_stopped() -> None:
    release = failed(
        publishing(),
        task("export-onnx-fp32", done=True, lastEnd=DONE),
        task("publish", failures=1, lastEnd=FAILED_END),
    ).requested_at(at(-1))
    plan = look(release)
    assert job_names(plan) == [name(Role.PUBLISH, 2)]
    assert says(plan)[:3] == ("Publishing", "FTF", "Publishing")


def test_what_was_tidied_is_exported_anew() -> None:
    release = failed(
        publishing(),
        task("export-onnx-fp32", done=True, lastEnd=DONE),
        task("publish", failures=1, lastEnd=FAILED_END),
        task("tidy", done=True, lastEnd=DONE),
    ).requested_at(at(-1))
    plan = look(release)
    assert job_names(plan) == [name(Role.EXPORT, 2, "onnx-fp32")]
    assert says(plan)[0] == "Exporting"
    assert "done" not in ledger(plan.status, "tidy")


def test_what_was_published_is_only_verified_anew() -> None:
    release = failed(
        verifying(),
        task("export-onnx-fp32", done=True, lastEnd=DONE),
        task("publish", done=True, lastEnd=DONE),
        task("verify", failures=1, lastEnd=FAILED_END),
        task("tidy", done=True, lastEnd=DONE),
    ).requested_at(at(-1))
    assert job_names(look(release)) == [name(Role.VERIFY, 2)]


def test_reopening_waits_for_a_tidying_that_runs() -> None:
    release = failed(
        publishing(),
        task("publish", failures=1, lastEnd=FAILED_END),
        task("tidy"),
        at_time=-86_401,
    ).requested_at(at(-1))
    plan = look(release, a_job(Role.TIDY).running())
    assert plan.create == ()
    assert plan.requeue_after == 2
