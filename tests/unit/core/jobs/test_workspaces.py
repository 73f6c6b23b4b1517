"""The Jobs of a run whose workspace is in a store: what they are told, and what they mount."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.secrets import Role
from sealyard.core.jobs import publish_job, tidy_job, train_job
from support.builders import a_training_run, task_of
from support.job_manifests import (
    EXPORTS,
    JOBS,
    LINEAGE,
    RELEASE,
    SETTINGS,
    TARGET,
    built_job,
    compute_of,
    container_of,
    mounts_of,
    pod_of,
)
from support.specs import S3_DATASET, S3_WORKSPACE

IN_STORE = a_training_run().succeeded().with_spec("workspace", {"s3": S3_WORKSPACE})


def job(role: Role, **changes: Any) -> dict[str, Any]:
    run = IN_STORE.with_spec("workspace", {"s3": S3_WORKSPACE | changes}).build()
    workspace = run.spec.workspace
    if role is Role.PUBLISH:
        return publish_job(
            RELEASE,
            TARGET,
            SETTINGS,
            workspace=workspace,
            variants=EXPORTS,
            lineage=LINEAGE,
            attempt=1,
        )
    if role is Role.TIDY:
        return tidy_job(RELEASE, SETTINGS, workspace=workspace, attempt=1)
    return built_job(role, run)


ALL = pytest.mark.parametrize("role", [Role.TRAIN, Role.EXPORT, Role.PUBLISH, Role.TIDY])


@ALL
def test_it_is_told_where_and_given_the_credential(role: Role) -> None:
    manifest = job(role)
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    task = task_of(manifest)
    assert task["workspace"] == {
        "endpoint": "https://s3.storage.svc:8333",
        "region": "us-east-1",
        "bucket": "runs",
        "prefix": "vision/",
        "secretName": "workspace-writer",
        "caBundleName": "storage-ca",
        "cacheBytes": 20 << 30,
    }
    assert task["taskVersion"] == 7
    volumes = {volume["name"]: volume for volume in pod_of(manifest)["volumes"]}
    assert volumes["workspace"]["emptyDir"] == {"sizeLimit": "20Gi"}
    assert [item["key"] for item in volumes["secret-workspace"]["secret"]["items"]] == [
        "workspace-access-key-id",
        "workspace-secret-access-key",
    ]
    mounts = mounts_of(manifest)
    assert mounts["workspace"] == ("/workspace", False)
    assert mounts["secret-workspace"] == ("/run/sealyard/secrets/workspace", True)
    assert mounts["ca-workspace"] == ("/run/sealyard/ca/workspace", True)


@ALL
def test_it_goes_where_there_is_room_for_the_copy(role: Role) -> None:
    requests = container_of(job(role))["resources"]["requests"]
    assert requests.get("ephemeral-storage") == (None if role is Role.TIDY else "20Gi")


@ALL
def test_without_a_bundle_none_is_mounted(role: Role) -> None:
    manifest = job(role, caBundleRef=None)
    assert "ca-workspace" not in mounts_of(manifest)
    assert "caBundleName" not in task_of(manifest)["workspace"]


@ALL
def test_on_a_claim_nothing_is_told_of_a_store(role: Role) -> None:
    task = task_of(JOBS[role])
    assert "workspace" not in task
    assert task["taskVersion"] == 1
    assert "secret-workspace" not in mounts_of(JOBS[role])


def test_each_namespace_has_a_folder_of_its_own_in_it() -> None:
    run = IN_STORE.build()
    path = f"{run.metadata.namespace}/coins-{run.spec.build_input_hash()}"
    assert run.workspace_path == path == task_of(job(Role.TRAIN))["runPath"]
    release = f"{RELEASE.metadata.namespace}/{RELEASE.workspace_folder}"
    for role in (Role.EXPORT, Role.PUBLISH, Role.TIDY):
        assert task_of(job(role))["releasePath"] == release


def test_dataset_and_workspace_in_stores_have_a_credential_each() -> None:
    run = IN_STORE.with_spec("dataset", {"s3": S3_DATASET}).build()
    manifest = train_job(run, SETTINGS, compute_of(run), attempt=1, image="trainer")
    mounts = mounts_of(manifest)
    assert {"secret-dataset", "secret-workspace", "ca-dataset", "ca-workspace"} <= mounts.keys()
    assert task_of(manifest)["taskVersion"] == 7


def test_what_is_fine_tuned_from_a_store_has_a_credential_of_its_own() -> None:
    run = a_training_run().build()
    weights = {"s3": S3_WORKSPACE, "path": "team/base-1/best.pt", "sha256": "a" * 64}
    pinned = type(run.status).from_wire({"weights": weights}).weights
    manifest = train_job(run, SETTINGS, compute_of(run), attempt=1, image="trainer", weights=pinned)
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    mounts = mounts_of(manifest)
    assert mounts["secret-weights"] == ("/run/sealyard/secrets/weights", True)
    assert mounts["ca-weights"] == ("/run/sealyard/ca/weights", True)
    assert "weights" not in mounts
    task = task_of(manifest)
    assert task["taskVersion"] == 7
    assert task["weights"]["s3"]["uri"] == S3_WORKSPACE["uri"]
    assert "workspace" not in task
