"""The Jobs of a run on an annotation route: what they are told, and what they mount."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.secrets import Role
from sealyard.core.snapshot import snapshot_of
from support.builders import RunBuilder, a_training_run, task_of
from support.job_manifests import built_job, mounts_of
from support.routes import RouteBuilder, a_route

RUN = a_training_run().succeeded().with_spec("dataset", {"annotationRouteRef": {"name": "shop"}})
ROUTE = a_route().named("shop", uid="route-uid").reported()


def job(role: Role, route: RouteBuilder, builder: RunBuilder = RUN) -> dict[str, Any]:
    snapshot = snapshot_of(builder.build(), route.build())
    assert snapshot is not None
    run = builder.with_status(snapshot=snapshot.to_wire()).build()
    return built_job(role, run)


BOTH = pytest.mark.parametrize("role", [Role.TRAIN, Role.EXPORT])


@BOTH
def test_a_bucket_is_read_by_the_credential_that_may_only_read(role: Role) -> None:
    manifest = job(role, ROUTE.in_bucket())
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    task = task_of(manifest)
    assert task["taskVersion"] == 6
    assert task["snapshot"] == {"route": "shop", "offset": 1200, "validationPercent": 20}
    assert task["dataset"] == {
        "endpoint": "https://s3.storage.svc:8333",
        "region": "us-east-1",
        "bucket": "annotations",
        "prefix": "coins/",
        "secretName": "annotations-reader",
        "caBundleName": "storage-ca",
    }
    mounts = mounts_of(manifest)
    assert mounts["secret-dataset"] == ("/run/sealyard/secrets/dataset", True)
    assert "annotations-writer" not in str(manifest)


@BOTH
def test_a_claim_is_mounted_read_only(role: Role) -> None:
    manifest = job(role, ROUTE)
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    task = task_of(manifest)
    assert (task["datasetPath"], task["snapshot"]["offset"]) == ("coins", 1200)
    assert mounts_of(manifest)["dataset"] == ("/dataset", True)
    assert "secret-dataset" not in mounts_of(manifest)
