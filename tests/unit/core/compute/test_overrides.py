from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.training_run import ComputeSpec
from sealyard.core.compute.overrides import refusals
from support.profiles import ProfileBuilder, a_compute_profile

GPU = a_compute_profile()
ONLY_GPUS = GPU.with_spec("gpus", {"default": 1, "min": 1})
CPU = GPU.with_spec("gpus", None)


@pytest.mark.parametrize(
    ("profile", "compute"),
    [
        (GPU, {}),
        (GPU, {"gpus": 1, "cpu": "2", "memory": "16Gi", "sharedMemory": "1Gi"}),
        (GPU, {"cpu": "2000m", "sharedMemory": "1024Mi"}),
        (GPU, {"gpus": 0, "memory": "32Gi"}),
        (GPU, {"memory": "1Gi"}),
        (GPU.with_spec("memory", {"default": "16Gi"}), {"memory": "1Ti"}),
        (GPU.with_spec("overridable", ["cpu", "sharedMemory"]), {"cpu": "64"}),
        (GPU.with_spec("overridable", []), {"gpus": 1, "memory": "16384Mi"}),
        (CPU, {"gpus": 0}),
        (GPU, {"nodes": 1}),
        (GPU.with_spec("maxNodes", 4), {"nodes": 4}),
    ],
)
def test_what_a_run_may_ask_for(profile: ProfileBuilder, compute: dict[str, Any]) -> None:
    assert refusals(profile.build(), ComputeSpec.from_wire(compute)) == []


@pytest.mark.parametrize(
    ("profile", "compute", "said"),
    [
        (
            GPU,
            {"memory": "64Gi"},
            ["spec.compute.memory: 64Gi is more than ComputeProfile gpu allows: 32Gi at most"],
        ),
        (
            GPU.with_spec("maxNodes", 4),
            {"nodes": 5},
            ["spec.compute.nodes: 5 is more than ComputeProfile gpu allows: 4 at most"],
        ),
        (
            GPU,
            {"memory": "34359738369"},
            [
                (
                    "spec.compute.memory: 34359738369 is more than ComputeProfile gpu allows: 32Gi "
                    "at most"
                )
            ],
        ),
        (
            GPU,
            {"cpu": "1", "sharedMemory": "2Gi"},
            [
                (
                    "spec.compute.cpu: 1 is not for a run to choose with ComputeProfile gpu: leave "
                    "the field out, which gives 2"
                ),
                (
                    "spec.compute.sharedMemory: 2Gi is not for a run to choose with ComputeProfile "
                    "gpu: leave the field out, which gives 1Gi"
                ),
            ],
        ),
        (
            GPU.with_spec("overridable", []),
            {"gpus": 0},
            [
                (
                    "spec.compute.gpus: 0 is not for a run to choose with ComputeProfile gpu: "
                    "leave the field out, which gives 1"
                )
            ],
        ),
        (
            ONLY_GPUS,
            {"gpus": 0},
            ["spec.compute.gpus: 0 is less than ComputeProfile gpu asks for: 1 at least"],
        ),
        (
            CPU,
            {"gpus": 1},
            ["spec.compute.gpus: 1 is more than ComputeProfile gpu allows: 0 at most"],
        ),
    ],
)
def test_what_is_refused_names_the_field_the_value_and_what_would_be_right(
    profile: ProfileBuilder, compute: dict[str, Any], said: list[str]
) -> None:
    assert refusals(profile.build(), ComputeSpec.from_wire(compute)) == said
