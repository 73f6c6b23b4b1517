"""The Jobs of a run whose dataset lies in a store: what they are told, and what they mount."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.s3 import S3Folder
from sealyard.api.secrets import Role
from support.builders import RunBuilder, a_training_run, task_of
from support.job_manifests import JOBS, built_job, mounts_of, pod_of
from support.specs import S3_DATASET


def from_s3(**changes: Any) -> RunBuilder:
    return a_training_run().succeeded().with_spec("dataset", {"s3": {**S3_DATASET, **changes}})


def job(role: Role, builder: RunBuilder) -> dict[str, Any]:
    run = builder.build()
    return built_job(role, run)


BOTH = pytest.mark.parametrize("role", [Role.TRAIN, Role.EXPORT])


@BOTH
def test_it_is_told_where_and_given_the_credential(role: Role) -> None:
    manifest = job(role, from_s3())
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    task = task_of(manifest)
    assert task["dataset"] == {
        "endpoint": "https://s3.storage.svc:8333",
        "region": "us-east-1",
        "bucket": "datasets",
        "prefix": "vision/coins/",
        "secretName": "dataset-reader",
        "caBundleName": "storage-ca",
    }
    assert "datasetPath" not in task
    assert task["taskVersion"] == 5
    mounts = mounts_of(manifest)
    assert mounts["secret-dataset"] == ("/run/sealyard/secrets/dataset", True)
    assert mounts["ca-dataset"] == ("/run/sealyard/ca/dataset", True)
    assert "dataset" not in mounts
    volumes = {volume["name"]: volume for volume in pod_of(manifest)["volumes"]}
    assert volumes["secret-dataset"]["secret"] == {
        "secretName": "dataset-reader",
        "items": [
            {"key": "dataset-access-key-id", "path": "dataset-access-key-id"},
            {"key": "dataset-secret-access-key", "path": "dataset-secret-access-key"},
        ],
        "defaultMode": 0o440,
        "optional": True,
    }


@BOTH
def test_without_a_bundle_none_is_mounted(role: Role) -> None:
    manifest = job(role, from_s3(caBundleRef=None))
    assert "ca-dataset" not in mounts_of(manifest)
    assert "caBundleName" not in task_of(manifest)["dataset"]


@BOTH
def test_on_a_claim_nothing_is_told_of_a_store(role: Role) -> None:
    task = task_of(JOBS[role])
    assert "dataset" not in task
    assert task["taskVersion"] == 1


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://datasets", "datasets", ""),
        ("s3://datasets/", "datasets", ""),
        ("s3://data.sets/coins", "data.sets", "coins/"),
        ("s3://datasets/a/b=1/", "datasets", "a/b=1/"),
    ],
)
def test_bucket_and_prefix(uri: str, bucket: str, prefix: str) -> None:
    folder = S3Folder.from_wire({**S3_DATASET, "uri": uri})
    assert (folder.bucket, folder.prefix) == (bucket, prefix)
