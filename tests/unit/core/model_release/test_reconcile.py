"""The way of a release from stage to stage."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.digests import export_sha256
from sealyard.api.secrets import Role
from sealyard.core.model_release.variants import human_size
from sealyard.core.plan import Plan
from support.builders import (
    CLAIMS,
    NOW,
    SHARED_CLAIMS,
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
from support.specs import DIGEST, S3_DATASET

BUILT_FOR = {"computeCapability": "8.6"}
ENGINE = {"arch": "x86_64", **BUILT_FOR, "runtime": "tensorrt-rtx", "runtimeVersion": "1.7.1"}


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
    assert status["workspace"] == {"claimName": "workspace", "path": "runs", "s3": None}
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


@pytest.mark.parametrize(
    ("claims", "count"),
    [
        (CLAIMS, 1),
        (SHARED_CLAIMS, 3),
        # Each pod mounts both.
        ((CLAIMS[0], SHARED_CLAIMS[1]), 1),
        ((SHARED_CLAIMS[0], CLAIMS[1]), 1),
    ],
)
def test_variants_run_side_by_side_where_the_claim_allows(claims: Any, count: int) -> None:
    release = a_model_release("a", "b", "c")
    plan = look(release, claims=claims)
    assert len(plan.create) == count
    assert plan.status["summary"] == {"variants": "0/3"}
    running = [a_job(Role.EXPORT, variant=v).running() for v in ("a", "b", "c")[:count]]
    again = look(release.after(plan), *running, claims=claims)
    assert again.create == ()


def test_a_store_serves_all_at_once_where_the_workspace_allows() -> None:
    release = a_model_release("a", "b", "c")
    run = RUN.with_spec("dataset", {"s3": S3_DATASET})
    for workspace, count in ((CLAIMS[1], 1), (SHARED_CLAIMS[1], 3)):
        assert len(look(release, run=run, claims=(workspace,)).create) == count


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


def test_verifying_needs_no_workspace() -> None:
    release = verifying().with_status(
        tasks=[
            task("export-onnx-fp32", done=True, lastEnd=DONE),
            task("publish", done=True, lastEnd=DONE),
        ]
    )
    assert job_names(look(release, claims=(), run=None)) == [name(Role.VERIFY)]


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


@pytest.mark.parametrize(
    ("asked", "answered", "platform", "version"),
    [
        (None, None, None, 1),
        # Of an exporter that knows nothing of platforms: what was asked for holds.
        ({"arch": "aarch64"}, None, {"arch": "aarch64"}, 3),
        (BUILT_FOR, {"platform": ENGINE, "figuresOf": "onnx"}, ENGINE, 3),
    ],
)
def test_where_a_variant_runs_goes_from_its_export_to_its_publication(
    asked: Any, answered: Any, platform: Any, version: int
) -> None:
    (variant,) = a_model_release().document["spec"]["variants"]
    asked_for = variant | ({"platform": asked} if asked else {})
    release = a_model_release().with_spec("variants", [asked_for])
    exported = a_job(Role.EXPORT, variant="onnx-fp32").complete(EXPORT_RESULT | (answered or {}))
    plan = look(release.after(look(release)), exported)
    (shown,) = plan.status["variants"]
    assert shown.get("platform") == platform
    assert shown["figuresOf"] == ("onnx" if answered else "file")
    task = task_of(plan.create[0])
    assert task["kind"] == "publish"
    assert task["variants"][0].get("platform") == platform
    # A courier that knows nothing of platforms would offer it to every machine.
    assert task["taskVersion"] == version
