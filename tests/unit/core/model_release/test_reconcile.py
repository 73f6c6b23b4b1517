from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.api.digests import export_sha256
from sealyard.api.secrets import Role
from sealyard.core.model_release.variants import human_size
from sealyard.core.observed import ObservedJob
from sealyard.core.plan import JobKey, Plan
from support.builders import (
    CLAIMS,
    DIGEST,
    NOW,
    SHARED_CLAIMS,
    ReleaseBuilder,
    TargetBuilder,
    a_job,
    a_model_release,
    a_training_run,
    at,
    job_names,
    says,
    task_of,
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


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (
            None,
            (
                "WaitingForTraining",
                "FTF",
                "TrainingRunMissing",
                (
                    "TrainingRun coins (spec.source.trainingRunRef.name) does not exist in "
                    "namespace coins: create it, and the release goes on"
                ),
            ),
        ),
        (
            a_training_run().with_status(phase="Running"),
            (
                "WaitingForTraining",
                "FTF",
                "WaitingForTraining",
                "waiting until TrainingRun coins has succeeded",
            ),
        ),
        (
            a_training_run().with_status(
                phase="Failed",
                conditions=[
                    {
                        "type": "Ready",
                        "status": "False",
                        "reason": "InvalidInput",
                        "message": "labels/3.txt: class 9",
                        "lastTransitionTime": time_of(NOW),
                    }
                ],
            ),
            (
                "WaitingForTraining",
                "FFT",
                "TrainingFailed",
                (
                    "TrainingRun coins failed (labels/3.txt: class 9); the release goes on if the "
                    "run is opened again and succeeds"
                ),
            ),
        ),
    ],
)
def test_waiting_for_the_run(run: Any, expected: tuple[str, ...]) -> None:
    plan = look(a_model_release(), run=run)
    assert says(plan) == expected
    assert plan.create == ()
    recovered = look(a_model_release().after(plan))
    assert job_names(recovered) == [name(Role.EXPORT, variant="onnx-fp32")]


def test_a_run_without_its_checkpoint_is_of_no_use() -> None:
    plan = look(a_model_release(), run=RUN.with_status(artifacts=[]))
    assert says(plan) == (
        "Failed",
        "FFT",
        "InvalidInput",
        "TrainingRun coins succeeded without best.pt among its artifacts" + HOW,
    )


def test_exporting_starts() -> None:
    plan = look(a_model_release())
    assert job_names(plan) == [name(Role.EXPORT, variant="onnx-fp32")]
    assert says(plan) == (
        "Exporting",
        "FTF",
        "Exporting",
        f"exporting onnx-fp32 in Job {name(Role.EXPORT, variant='onnx-fp32')}",
    )
    status = plan.status
    assert status["lineage"] == LINEAGE
    assert status["workspace"] == {"claimName": "workspace", "path": "runs"}
    assert status["summary"] == {"variants": "0/1"}
    assert [(v["name"], v["phase"]) for v in status["variants"]] == [("onnx-fp32", "Pending")]
    exported = task_of(plan.create[0])
    assert exported["checkpointSha256"] == DIGEST
    assert exported["imageSize"] == 128
    assert exported["runPath"] == RUN.build().workspace_path
    assert [event.reason for event in plan.events] == ["Exporting"]


def test_a_variant_has_its_own_image_size() -> None:
    variant = {"name": "big", "format": "onnx", "precision": "fp32", "imageSize": 640}
    plan = look(a_model_release().with_spec("variants", [variant]))
    assert task_of(plan.create[0])["imageSize"] == 640


@pytest.mark.parametrize(("claims", "count"), [(CLAIMS, 1), (SHARED_CLAIMS, 3)])
def test_variants_run_side_by_side_where_the_claim_allows(claims: Any, count: int) -> None:
    release = a_model_release("a", "b", "c")
    plan = look(release, claims=claims)
    assert len(plan.create) == count
    assert plan.status["summary"] == {"variants": "0/3"}
    running = [a_job(Role.EXPORT, variant=v).running() for v in ("a", "b", "c")[:count]]
    again = look(release.after(plan), *running, claims=claims)
    assert again.create == ()


def test_variants_in_turn() -> None:
    release = a_model_release("a", "b")
    first = look(release)
    done = a_job(Role.EXPORT, variant="a").complete(EXPORT_RESULT | {"variant": "a"})
    second = look(release.after(first), done)
    assert job_names(second) == [name(Role.EXPORT, variant="b")]
    assert second.status["summary"] == {"variants": "1/2", "size": "1.3 MiB"}
    assert [v["phase"] for v in second.status["variants"]] == ["Exported", "Pending"]


def test_publishing_follows_the_last_export() -> None:
    plan = look(exporting(), a_job(Role.EXPORT, variant="onnx-fp32").complete(EXPORT_RESULT))
    assert job_names(plan) == [name(Role.PUBLISH)]
    assert says(plan) == (
        "Publishing",
        "FTF",
        "Publishing",
        f"sealing and uploading to target stores in Job {name(Role.PUBLISH)}",
    )
    status = plan.status
    assert status["exportSha256"] == export_sha256([("onnx-fp32", DIGEST, 1_400_000)])
    assert status["target"]["apiUrl"] == "https://api.stores.svc:8443"
    assert status["summary"] == {"variants": "1/1", "size": "1.3 MiB"}
    (variant,) = status["variants"]
    assert (variant["phase"], variant["maxDifference"], variant["imageSize"]) == (
        "Exported",
        9e-5,
        128,
    )
    published = task_of(plan.create[0])
    assert published["source"] == LINEAGE
    assert published["sealingFormat"] == "sealed-v2"
    assert [v["sha256"] for v in published["variants"]] == [DIGEST]


@pytest.mark.parametrize("target", [TARGET, TARGET.probed().with_status(probe={"failures": 3})])
def test_a_probe_that_failed_or_is_still_to_come_holds_nothing_up(target: TargetBuilder) -> None:
    done = a_job(Role.EXPORT, variant="onnx-fp32").complete(EXPORT_RESULT)
    assert job_names(look(exporting(), done, target=target)) == [name(Role.PUBLISH)]


def test_publishing_needs_the_run_no_more() -> None:
    release = publishing().with_status(
        tasks=[task("export-onnx-fp32", done=True, lastEnd=DONE)], target=None
    )
    plan = look(release, run=None)
    assert job_names(plan) == [name(Role.PUBLISH)]
    assert task_of(plan.create[0])["source"] == LINEAGE


def test_verifying_follows_publishing() -> None:
    plan = look(publishing(), a_job(Role.PUBLISH).complete(PUBLISH_RESULT))
    assert job_names(plan) == [name(Role.VERIFY)]
    assert says(plan) == (
        "Verifying",
        "FTF",
        "Verifying",
        f"opening what was published to target stores in Job {name(Role.VERIFY)}",
    )
    (variant,) = plan.status["variants"]
    assert variant["phase"] == "Published"
    assert variant["small"] == {"sizeBytes": 320}
    assert variant["big"] == {"sizeBytes": 1_400_100, "key": f"sealyard/objects/{OBJECT}"}
    assert plan.status["manifestSha256"] == DIGEST
    assert task_of(plan.create[0])["manifestSha256"] == DIGEST


def test_verifying_reads_where_the_publication_went() -> None:
    moved = TARGET.with_spec("api.url", "https://elsewhere:8443").of_generation(2)
    plan = look(publishing(), a_job(Role.PUBLISH).complete(PUBLISH_RESULT), target=moved)
    assert task_of(plan.create[0])["api"]["url"] == "https://api.stores.svc:8443"


def test_publishing_anew_goes_where_the_target_points_by_then() -> None:
    moved = TARGET.with_spec("api.url", "https://elsewhere:8443").of_generation(2)
    plan = look(publishing(), a_job(Role.PUBLISH).failed(69, "no such host"), target=moved)
    assert job_names(plan) == [name(Role.PUBLISH, 2)]
    assert task_of(plan.create[0])["api"]["url"] == "https://elsewhere:8443"
    assert plan.status["target"]["apiUrl"] == "https://elsewhere:8443"


def test_verified_is_released() -> None:
    plan = look(verifying(), a_job(Role.VERIFY).complete(VERIFY_RESULT, at=at(-2)))
    assert says(plan) == (
        "Released",
        "TFF",
        "Released",
        f"coins 1.0.0 lies in both stores and was opened by the verifier; manifest {DIGEST}",
    )
    assert plan.status["verifiedAt"] == time_of(at(-2))
    assert plan.status["releasedAt"] == time_of(NOW)
    assert plan.status["trust"] == "unsigned"
    assert [v["phase"] for v in plan.status["variants"]] == ["Verified"]
    assert plan.create == ()
    assert [event.type for event in plan.events] == ["Normal"]


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


def test_verifying_needs_no_workspace() -> None:
    release = verifying().with_status(
        tasks=[
            task("export-onnx-fp32", done=True, lastEnd=DONE),
            task("publish", done=True, lastEnd=DONE),
        ]
    )
    assert job_names(look(release, claims=(), run=None)) == [name(Role.VERIFY)]


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


def test_a_release_that_is_being_deleted_is_left_alone() -> None:
    assert look(a_model_release().being_deleted()) == Plan()


def test_progress_of_the_run_changes_nothing() -> None:
    release = a_model_release()
    run = a_training_run().with_status(phase="Running")
    after = release.after(look(release, run=run))
    moving = run.with_status(summary={"progress": "50 %"})
    assert after.after(look(after, run=moving)).document == after.document


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_400_000, "1.3 MiB"),
        (2**40, "1.0 TiB"),
        (2**52, "4096.0 TiB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert human_size(size) == text


def test_a_claim_that_goes_away_counts_as_gone() -> None:
    leaving = (CLAIMS[0], replace(CLAIMS[1], deleting=True))
    assert says(look(a_model_release(), claims=leaving))[2] == "ClaimMissing"
