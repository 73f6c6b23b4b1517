from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.api.training_run import ComputeSpec
from sealyard.core.compute import Compute
from sealyard.core.compute.merge import merge
from sealyard.core.settings import PodSettings
from support.builders import SETTINGS
from support.profiles import PROFILE_SPEC, ProfileBuilder, a_compute_profile

GPU = a_compute_profile()


def merged(profile: ProfileBuilder | None, **compute: Any) -> Compute:
    wanted = ComputeSpec.from_wire(compute)
    return merge(profile.build() if profile else None, wanted, SETTINGS)


def test_without_a_profile_the_configuration_and_the_run_decide() -> None:
    compute = merged(None)
    assert (compute.images, compute.pods) == (SETTINGS.images, SETTINGS.pods)
    assert compute.status.to_wire() == {
        "gpus": 0,
        "cpu": "2",
        "memory": "4Gi",
        "sharedMemory": "1Gi",
    }
    assert merged(None, gpus=1, cpu="8").status.to_wire() == {
        "gpus": 1,
        "cpu": "8",
        "memory": "4Gi",
        "sharedMemory": "1Gi",
    }


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({}, (1, "2", "16Gi", "1Gi")),
        ({"gpus": 0, "memory": "20Gi"}, (0, "2", "20Gi", "1Gi")),
    ],
)
def test_the_run_s_values_go_before_the_profile_s(
    wanted: dict[str, Any], given: tuple[Any, ...]
) -> None:
    compute = merged(GPU, **wanted)
    assert (compute.gpus, compute.cpu, compute.memory, compute.shared_memory) == given
    assert compute.profile == "gpu"


@pytest.mark.parametrize(
    ("gpus", "given", "least"),
    [
        (None, 0, 0),
        ({}, 1, 0),
        ({"min": 1}, 1, 1),
        ({"default": 0}, 0, 0),
    ],
)
def test_gpus(gpus: dict[str, int] | None, given: int, least: int) -> None:
    compute = merged(GPU.with_spec("gpus", gpus))
    assert (compute.gpus, compute.least_gpus) == (given, least)


def test_images_that_a_profile_does_not_name_are_the_operator_s() -> None:
    images = merged(GPU).images
    assert images.trainer == PROFILE_SPEC["images"]["trainer"]
    assert (images.exporter, images.courier) == (SETTINGS.images.exporter, SETTINGS.images.courier)
    exporter = f"registry.test/exporter@sha256:{'e' * 64}"
    assert merged(GPU.with_spec("images", {"exporter": exporter})).images.exporter == exporter


def test_what_the_pods_get() -> None:
    profile = GPU.with_spec("pod.imagePullSecrets", [{"name": "own"}, {"name": "operator-s"}])
    profile = profile.with_spec("gpus.resource", "amd.com/gpu")
    settings = replace(SETTINGS, pods=PodSettings(image_pull_secrets=("operator-s",)))
    pods = merge(profile.build(), ComputeSpec(), settings).pods
    assert pods == PodSettings(
        image_pull_secrets=("operator-s", "own"),
        gpu_resource="amd.com/gpu",
        labels={"example.com/team": "vision"},
        annotations={"example.com/cost-centre": "42"},
        placement={
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
            ],
            "runtimeClassName": "nvidia",
        },
    )


@pytest.mark.parametrize(
    ("overridable", "field"),
    [
        (["memory"], "spec.compute.memory"),
        ([], "spec.memory.default of ComputeProfile gpu"),
    ],
)
def test_who_can_give_more_memory(overridable: list[str], field: str) -> None:
    assert merged(GPU.with_spec("overridable", overridable)).memory_field == field
