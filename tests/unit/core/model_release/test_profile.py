"""A release and the ComputeProfile of its exports."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.secrets import Role
from sealyard.core.model_release import reconcile
from sealyard.core.observed import Profiles
from sealyard.core.plan import Plan
from support.builders import (
    NO_PROFILES,
    NOW,
    SETTINGS,
    SHARED_CLAIMS,
    a_job,
    a_model_release,
    a_release_target,
    a_training_run,
    says,
)
from support.profiles import a_compute_profile, named, the_default
from support.specs import DIGEST

EXPORTER = f"registry.test/exporter@sha256:{DIGEST}"
GPU = a_compute_profile().with_spec("images.exporter", EXPORTER)
EVERY_POD = a_compute_profile().with_spec("gpus", {"min": 1})
AMPERE = {"computeCapability": "8.6"}
NAMING = a_model_release("first", "second").with_spec("profileRef", {"name": "gpu"})


def plan_of(release: Any, *jobs: Any, profiles: Profiles) -> Plan:
    observed = release.observed(
        *jobs,
        run=a_training_run().succeeded(),
        target=a_release_target(),
        claims=SHARED_CLAIMS,
        profiles=profiles,
    )
    return reconcile(observed, SETTINGS, NOW)


def test_exports_run_as_the_profile_says() -> None:
    plan = plan_of(NAMING, profiles=named(GPU))
    for job in plan.create:
        pod = job["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == EXPORTER
        assert pod["nodeSelector"] == {"pool": "gpu"}
    assert len(plan.create) == 2


@pytest.mark.parametrize(
    ("variant", "profiles", "gpus", "memory"),
    [
        ({"format": "onnx"}, NO_PROFILES, None, "4Gi"),
        ({"format": "tensorrt-rtx", "platform": AMPERE}, the_default(GPU), None, "16Gi"),
        ({"format": "tensorrt-rtx", "platform": AMPERE}, the_default(EVERY_POD), "1", "16Gi"),
        ({"format": "tensorrt"}, the_default(GPU), "1", "16Gi"),
        ({"format": "tensorrt"}, NO_PROFILES, "1", "8Gi"),
    ],
)
def test_only_what_is_built_on_a_gpu_gets_one(
    variant: dict[str, Any], profiles: Profiles, gpus: str | None, memory: str
) -> None:
    release = a_model_release().with_spec(
        "variants", [{"name": "edge", "precision": "fp16", **variant}]
    )
    (job,) = plan_of(release, profiles=profiles).create
    resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    wanted = {"memory": memory} | ({"nvidia.com/gpu": gpus} if gpus else {})
    assert resources["limits"] == wanted
    assert resources["requests"].get("nvidia.com/gpu") == gpus
    # An image that knows no engines says so, and not that a format is wrong.
    version = "1" if variant["format"] == "onnx" else "3"
    assert job["metadata"]["labels"]["sealyard.io/task-version"] == version


@pytest.mark.parametrize("gpus", [None, {"default": 0, "max": 0}])
def test_a_profile_without_gpus_builds_no_engine_that_needs_one(gpus: Any) -> None:
    release = a_model_release().with_spec(
        "variants", [{"name": "edge", "format": "tensorrt", "precision": "fp16"}]
    )
    profile = a_compute_profile().with_spec("gpus", gpus)
    plan = plan_of(release, profiles=the_default(profile))
    assert plan.create == ()
    assert says(plan)[1:3] == ("FFT", "ProfileUnfit")
    assert says(plan)[3] == (
        "ComputeProfile gpu gives no GPU, and edge of the format tensorrt can be built on one "
        "alone: name a profile that gives one in spec.profileRef, and the release goes on"
    )


@pytest.mark.parametrize(
    ("release", "profiles", "letters", "reason"),
    [
        (NAMING, NO_PROFILES, "FTF", "ProfileMissing"),
        (a_model_release(), the_default(GPU, a_compute_profile("b")), "FFT", "ProfileAmbiguous"),
    ],
)
def test_nothing_is_exported_without_one(
    release: Any, profiles: Profiles, letters: str, reason: str
) -> None:
    plan = plan_of(release, profiles=profiles)
    assert plan.create == ()
    assert says(plan)[:3] == ("Pending", letters, reason)
    assert "the release goes on" in says(plan)[3]


def test_an_export_that_runs_goes_on_and_the_next_one_waits() -> None:
    job = a_job(Role.EXPORT, variant="first").running()
    plan = plan_of(NAMING, job, profiles=NO_PROFILES)
    assert (plan.create, plan.delete) == ((), ())
    assert says(plan)[:3] == ("Exporting", "FTF", "Exporting")


def test_what_is_exported_needs_no_profile() -> None:
    result = {
        "variant": "first",
        "path": "runs/x/model.onnx",
        "sha256": DIGEST,
        "sizeBytes": 400,
        "maxDifference": 0.0,
    }
    jobs = [
        a_job(Role.EXPORT, variant=name).complete({**result, "variant": name})
        for name in ("first", "second")
    ]
    plan = plan_of(NAMING, *jobs, profiles=NO_PROFILES)
    assert [job["metadata"]["labels"]["sealyard.io/role"] for job in plan.create] == ["publish"]


@pytest.mark.parametrize(
    ("default", "fp32", "engine"),
    [("2Gi", "4Gi", "8Gi"), ("6Gi", "6Gi", "8Gi"), ("32Gi", "32Gi", "32Gi")],
)
def test_an_export_may_use_what_training_may(default: str, fp32: str, engine: str) -> None:
    profile = a_compute_profile().with_spec("memory", {"default": default})
    release = a_model_release("onnx").with_spec("profileRef", {"name": "gpu"})
    limits = []
    for spec in ({"format": "onnx"}, {"format": "tensorrt", "platform": AMPERE}):
        variant = {"name": "onnx", "precision": "fp32", **spec}
        plan = plan_of(release.with_spec("variants", [variant]), profiles=named(profile))
        [job] = plan.create
        [container] = job["spec"]["template"]["spec"]["containers"]
        limits.append(container["resources"]["limits"]["memory"])
        assert container["resources"]["requests"]["memory"] == "1Gi"
    assert limits == [fp32, engine]


@pytest.mark.parametrize(
    ("profiles", "where"),
    [
        (NO_PROFILES, "name a ComputeProfile with a larger spec.memory.default in spec.profileRef"),
        (the_default(GPU), "raise spec.memory.default of ComputeProfile gpu"),
    ],
)
def test_an_export_that_lacks_memory_says_where_it_is_given(profiles: Profiles, where: str) -> None:
    release = a_model_release("onnx")
    jobs = [
        a_job(Role.EXPORT, variant="onnx", attempt=attempt).failed(
            137, termination_reason="OOMKilled"
        )
        for attempt in range(1, SETTINGS.release_backoff_limit + 2)
    ]
    tasks = [{"name": "export-onnx", "started": len(jobs), "failures": len(jobs) - 1}]
    release = release.with_status(phase="Exporting", tasks=tasks)
    plan = plan_of(release, jobs[-1], profiles=profiles)
    assert says(plan)[2] == "OutOfMemory"
    assert where in says(plan)[3]
