"""What holds a release up or ends it, and what the user is told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import JobKey
from support.builders import (
    CLAIMS,
    SHARED_CLAIMS,
    ReleaseBuilder,
    a_job,
    a_model_release,
    at,
    says,
    time_of,
)
from support.release_stages import (
    DONE,
    EXPORT_RESULT,
    HOW,
    LINEAGE,
    OBJECT,
    PUBLISH_RESULT,
    RUN,
    TARGET,
    VERIFY_RESULT,
    exporting,
    look,
    name,
    publishing,
    task,
    verifying,
)

OTHER_PUBLICATION = PUBLISH_RESULT | {
    "variants": [{"name": "other", "smallBytes": 320, "bigBytes": 1, "objectId": OBJECT}]
}


@pytest.mark.parametrize(
    ("release", "job"),
    [
        (
            exporting(),
            a_job(Role.EXPORT, variant="onnx-fp32").complete(EXPORT_RESULT | {"variant": "b"}),
        ),
        (publishing(), a_job(Role.PUBLISH).complete(PUBLISH_RESULT | {"variants": []})),
        (publishing(), a_job(Role.PUBLISH).complete(OTHER_PUBLICATION)),
        (verifying(), a_job(Role.VERIFY).complete(VERIFY_RESULT | {"variants": ["other"]})),
        (verifying(), a_job(Role.VERIFY).complete(VERIFY_RESULT | {"manifestSha256": OBJECT})),
    ],
)
def test_an_answer_to_another_question_is_none(release: ReleaseBuilder, job: ObservedJob) -> None:
    plan = look(release, job)
    assert plan.status["phase"] == release.build().status.phase
    newest = max(plan.status["tasks"], key=lambda t: t.get("lastEnd", {}).get("time", ""))
    assert newest["lastEnd"]["reason"] == "NoAnswer"
    assert newest["failures"] == 0
    assert len(plan.create) == 1


@pytest.mark.parametrize(
    ("release", "job", "phase", "what"),
    [
        (exporting(), a_job(Role.EXPORT, variant="onnx-fp32"), "Exporting", "export-onnx-fp32"),
        (publishing(), a_job(Role.PUBLISH), "Publishing", "publish"),
        (verifying(), a_job(Role.VERIFY), "Verifying", "verify"),
    ],
)
def test_waits_and_failures_of_each_stage(
    release: ReleaseBuilder, job: Any, phase: str, what: str
) -> None:
    for code, reason in (
        (66, "InputMissing"),
        (69, "RemoteUnavailable"),
        (77, "CredentialsRefused"),
    ):
        plan = look(release, job.failed(code, "so it is"))
        assert says(plan) == (
            phase, "FTF", reason, f"{what}: so it is; again at {time_of(at(10))}"
        )  # fmt: skip
        assert plan.requeue_after == 10
        assert plan.create == ()
        moved = TARGET.of_generation(2)
        assert len(look(release.after(plan), job.failed(code, "x"), target=moved).create) == 1
    for code, reason in ((64, "InvalidInput"), (65, "IntegrityFailed")):
        plan = look(release, job.failed(code, "so it is"))
        assert says(plan) == ("Failed", "FFT", reason, f"{what}: so it is{HOW}")
        assert plan.create == ()
    plan = look(release, job.failed(1))
    assert says(plan)[:3] == (phase, "FTF", "Retrying")
    assert len(look(release, job.failed(143)).create) == 1
    tasks = release.document["status"]["tasks"]
    worn = release.with_status(tasks=[*tasks[:-1], tasks[-1] | {"failures": 3}])
    assert says(look(worn, job.failed(1)))[:3] == ("Failed", "FFT", "BackoffLimitExceeded")


def test_a_pod_that_cannot_start_is_named() -> None:
    plan = look(publishing(), a_job(Role.PUBLISH).waiting("ErrImagePull", "denied"))
    assert says(plan)[2:] == (
        "PodNotStarted",
        "pod publish-1-pod cannot start: ErrImagePull: denied",
    )


def test_a_failure_stops_what_still_runs() -> None:
    release = a_model_release("a", "b").with_status(tasks=[task("export-a"), task("export-b")])
    broken = a_job(Role.EXPORT, variant="a").failed(64, "no")
    plan = look(release, broken, a_job(Role.EXPORT, variant="b").running(), claims=SHARED_CLAIMS)
    assert says(plan)[:3] == ("Failed", "FFT", "InvalidInput")
    assert plan.delete == (JobKey("coins", "export-b-1", "export-b-1-uid"),)
    assert [v["phase"] for v in plan.status["variants"]] == ["Failed", "Exporting"]


@pytest.mark.parametrize("release", [a_model_release(), publishing(), verifying()])
def test_a_missing_target_is_named(release: ReleaseBuilder) -> None:
    release = release.with_status(
        tasks=[t for t in release.document["status"].get("tasks", []) if t.get("done")]
    )
    plan = look(release, target=None)
    assert says(plan)[1:] == (
        "FTF",
        "TargetMissing",
        (
            "ReleaseTarget stores (spec.targetRef.name) does not exist in namespace coins: create "
            "it, and the release goes on"
        ),
    )
    assert plan.create == ()
    assert len(look(release.after(plan)).create) == 1


def test_an_invalid_target_stalls_until_it_is_mended() -> None:
    plan = look(a_model_release(), target=TARGET.with_spec("cdn.bucket", "a..b"))
    assert says(plan)[1:] == (
        "FFT",
        "InvalidSpec",
        "ReleaseTarget stores: spec.cdn.bucket: a..b is no bucket name: dots stand alone",
    )
    assert len(look(a_model_release().after(plan)).create) == 1


def test_a_missing_workspace_is_named() -> None:
    plan = look(a_model_release(), claims=CLAIMS[:1])
    assert says(plan)[1:] == (
        "FTF",
        "ClaimMissing",
        (
            "PersistentVolumeClaim workspace (the workspace of TrainingRun coins) does not exist "
            "in namespace coins: create it, and the release goes on"
        ),
    )


def test_the_oldest_owns_a_version() -> None:
    older = a_model_release().named("coins-old", uid="old-uid").created_at(at(-7200))
    plan = look(a_model_release(), namesakes=(older,))
    assert says(plan) == (
        "Pending",
        "FFT",
        "VersionTaken",
        (
            "version 1.0.0 of coins for target stores belongs to the older ModelRelease coins-old: "
            "release under a new version"
        ),
    )
    assert plan.create == ()
    younger = older.created_at(at(-60))
    assert len(look(a_model_release(), namesakes=(younger,)).create) == 1
    twin = a_model_release().named("coins-twin", uid="aaa")
    assert says(look(a_model_release(), namesakes=(twin,)))[2] == "VersionTaken"


def test_a_run_of_the_same_name_is_not_the_same_run() -> None:
    release = a_model_release("a", "b").with_status(
        lineage=LINEAGE, tasks=[task("export-a", done=True, lastEnd=DONE)]
    )
    plan = look(release, run=RUN.named("coins", uid="another-uid"))
    assert says(plan)[:3] == ("Failed", "FFT", "SourceReplaced")


def test_somebody_else_s_job_is_in_the_way() -> None:
    taken = name(Role.EXPORT, variant="onnx-fp32")
    plan = look(a_model_release(), foreign_jobs=(taken,))
    assert says(plan)[1:] == (
        "FFT",
        "NameTaken",
        f"Job {taken} belongs to somebody else: delete it, and the release goes on",
    )
    assert plan.create == ()


def test_a_claim_that_goes_away_counts_as_gone() -> None:
    leaving = (CLAIMS[0], replace(CLAIMS[1], deleting=True))
    assert says(look(a_model_release(), claims=leaving))[2] == "ClaimMissing"
