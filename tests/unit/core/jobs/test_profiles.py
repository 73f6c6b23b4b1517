"""What a ComputeProfile gives to a pod, and what it cannot take from it."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from sealyard.api.secrets import Role
from support.job_manifests import JOBS, WITH_PROFILE, container_of, mounts_of, pod_of
from support.specs import DIGEST

MANIFESTS = pytest.mark.parametrize("role", WITH_PROFILE)
PLACEMENT = {
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
            }
        }
    },
    "runtimeClassName": "nvidia",
    "priorityClassName": "batch",
    "serviceAccountName": "trainers",
}


@MANIFESTS
def test_kubernetes_knows_every_field(role: Role) -> None:
    kubernetes_validate.validate(WITH_PROFILE[role], "1.37", strict=True)


@MANIFESTS
def test_where_and_as_what_it_runs(role: Role) -> None:
    pod = pod_of(WITH_PROFILE[role])
    assert {field: pod[field] for field in PLACEMENT} == PLACEMENT
    assert pod["imagePullSecrets"] == [{"name": "pull"}, {"name": "own"}]


@MANIFESTS
def test_everything_else_of_its_pod_is_as_without_a_profile(role: Role) -> None:
    with_profile, without = pod_of(WITH_PROFILE[role]), pod_of(JOBS[role])
    differing = {*PLACEMENT, "imagePullSecrets", "containers", "volumes"}
    assert with_profile.keys() - without.keys() == PLACEMENT.keys()
    for field in without.keys() - differing:
        assert with_profile[field] == without[field], field
    assert with_profile["automountServiceAccountToken"] is False
    assert (
        container_of(WITH_PROFILE[role])["securityContext"]
        == (container_of(JOBS[role])["securityContext"])
    )
    assert mounts_of(WITH_PROFILE[role]) == mounts_of(JOBS[role])


@MANIFESTS
def test_labels_and_annotations_are_added_and_ours_stand(role: Role) -> None:
    template = WITH_PROFILE[role]["spec"]["template"]["metadata"]
    job = WITH_PROFILE[role]["metadata"]
    assert template["labels"] == job["labels"] | {"example.com/team": "vision"}
    assert template["labels"]["sealyard.io/role"] == role
    assert template["annotations"] == job["annotations"] | {"example.com/cost-centre": "42"}


@pytest.mark.parametrize(
    ("role", "resources"),
    [
        (
            Role.TRAIN,
            {
                "requests": {"cpu": "2", "memory": "16Gi", "nvidia.com/mig-1g.10gb": "1"},
                "limits": {"memory": "16Gi", "nvidia.com/mig-1g.10gb": "1"},
            },
        ),
        (
            Role.EXPORT,
            {
                "requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/mig-1g.10gb": "1"},
                "limits": {"memory": "16Gi", "nvidia.com/mig-1g.10gb": "1"},
            },
        ),
    ],
)
def test_resources(role: Role, resources: dict[str, Any]) -> None:
    assert container_of(WITH_PROFILE[role])["resources"] == resources


def test_the_export_runs_the_profile_s_image() -> None:
    image = container_of(WITH_PROFILE[Role.EXPORT])["image"]
    assert image == f"registry.test/exporter@sha256:{DIGEST}"
