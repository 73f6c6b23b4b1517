"""A run and its ComputeProfile: what it waits for, what its Job gets, and what is pinned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.core.observed import Profiles
from support.builders import (
    NO_PROFILES,
    NOW,
    PINNED_IMAGE,
    a_job,
    a_training_run,
    at,
    condition,
    job_names,
    says,
)
from support.profiles import PROFILE_SPEC, a_compute_profile, named, the_default
from support.run_attempts import FIRST_JOB, SECOND_JOB, ended, plan_of, started

GPU = a_compute_profile()
NAMING = a_training_run().with_spec("profileRef", {"name": "gpu"})
TRAINER = PROFILE_SPEC["images"]["trainer"]
OTHER_IMAGE = f"registry.test/other@sha256:{'f' * 64}"
CHANGED = GPU.with_spec("images.trainer", OTHER_IMAGE).of_generation(2)


def container_of(plan: Any) -> dict[str, Any]:
    [job] = plan.create
    [container] = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


@pytest.mark.parametrize(
    ("run", "profiles"), [(a_training_run(), the_default(GPU)), (NAMING, named(GPU))]
)
def test_the_first_job_is_as_the_profile_says(run: Any, profiles: Profiles) -> None:
    plan = plan_of(run.observed(profiles=profiles))
    assert job_names(plan) == [FIRST_JOB]
    container = container_of(plan)
    assert container["image"] == TRAINER
    assert container["resources"]["limits"] == {"memory": "16Gi", "nvidia.com/gpu": "1"}
    assert plan.status["image"] == TRAINER, "a digest is pinned before any node tells it"
    assert plan.status["compute"] == {
        "profile": "gpu",
        "gpus": 1,
        "cpu": "2",
        "memory": "16Gi",
        "sharedMemory": "1Gi",
    }


@pytest.mark.parametrize(
    ("run", "profiles", "letters", "reason", "part"),
    [
        (NAMING, NO_PROFILES, "FTF", "ProfileMissing", "ComputeProfile gpu (spec.profileRef.name)"),
        (
            a_training_run(),
            the_default(GPU, a_compute_profile("cpu")),
            "FFT",
            "ProfileAmbiguous",
            "ComputeProfiles cpu and gpu have spec.default: true",
        ),
        (
            NAMING.with_spec("compute", {"cpu": "9", "memory": "64Gi"}),
            named(GPU),
            "FFT",
            "OverrideRefused",
            "which gives 2; spec.compute.memory: 64Gi is more than ComputeProfile gpu allows: 32Gi",
        ),
    ],
)
def test_nothing_starts_without_a_profile_that_fits(
    run: Any, profiles: Profiles, letters: str, reason: str, part: str
) -> None:
    plan = plan_of(run.observed(profiles=profiles))
    assert plan.create == ()
    phase, shown, said, message = says(plan)
    assert (phase, shown, said) == ("Pending", letters, reason)
    assert part in message
    assert [event.type for event in plan.events] == ["Warning"]


def test_it_goes_on_by_itself_when_there_is_one_to_use() -> None:
    missing = NAMING.after(plan_of(NAMING.observed()))
    assert job_names(plan_of(missing.observed(profiles=named(GPU)))) == [FIRST_JOB]
    run = a_training_run()
    torn = run.after(plan_of(run.observed(profiles=the_default(GPU, a_compute_profile("cpu")))))
    assert job_names(plan_of(torn.observed(profiles=the_default(GPU)))) == [FIRST_JOB]


def test_it_goes_on_when_the_run_or_the_profile_has_changed() -> None:
    run = NAMING.with_spec("compute", {"memory": "64Gi"})
    stalled = run.after(plan_of(run.observed(profiles=named(GPU))))
    larger = GPU.with_spec("memory.max", "64Gi")
    assert job_names(plan_of(stalled.observed(profiles=named(larger)))) == [FIRST_JOB]
    smaller = stalled.with_spec("compute", {"memory": "32Gi"})
    assert job_names(plan_of(smaller.observed(profiles=named(GPU)))) == [FIRST_JOB]


def test_a_job_that_runs_is_left_alone_whatever_becomes_of_the_profile() -> None:
    job = a_job().running()
    for profiles in (NO_PROFILES, the_default(GPU, a_compute_profile("cpu"))):
        plan = plan_of(
            started().with_spec("profileRef", {"name": "gpu"}).observed(job, profiles=profiles)
        )
        assert (says(plan)[0], condition(plan)["reason"]) == ("Running", "Training")
        assert (plan.create, plan.delete) == ((), ())


def test_a_changed_profile_changes_the_next_attempt_and_never_the_image() -> None:
    run = started().with_status(image=TRAINER)
    changed = CHANGED.with_spec("pod.nodeSelector", {"pool": "new"})
    plan = plan_of(run.observed(a_job().failed(143), profiles=the_default(changed)))
    assert job_names(plan) == [SECOND_JOB]
    assert container_of(plan)["image"] == TRAINER
    assert plan.create[0]["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "new"}
    assert plan.status["image"] == TRAINER


@pytest.mark.parametrize("state", ["active", "ended"])
def test_a_job_that_no_status_tells_of_pins_the_image_it_was_created_with(state: str) -> None:
    job = a_job().active() if state == "active" else a_job().failed(143)
    plan = plan_of(
        a_training_run().observed(replace(job, image=TRAINER), profiles=the_default(CHANGED))
    )
    assert plan.status["image"] == TRAINER


def test_a_run_that_is_opened_again_takes_the_present_image() -> None:
    failed = (
        started(lastEnd=ended(1, 64, "InvalidInput"))
        .with_status(phase="Failed", image=PINNED_IMAGE)
        .requested_at(NOW)
    )
    old = replace(a_job().failed(64), image=PINNED_IMAGE)
    reopened = plan_of(failed.observed(old, profiles=the_default(GPU)))
    assert container_of(reopened)["image"] == TRAINER

    waiting = failed.with_spec("profileRef", {"name": "gpu"})
    plan = plan_of(waiting.observed(old))
    assert condition(plan)["reason"] == "ProfileMissing"
    assert plan.status["image"] is None
    plan = plan_of(waiting.after(plan).observed(old, profiles=named(GPU)))
    assert container_of(plan)["image"] == TRAINER


def test_a_changed_profile_is_a_reason_to_try_again_at_once() -> None:
    run = started(
        watched="1 gpu-uid/1",
        failures=1,
        lastEnd=ended(1, 1, "Fault"),
        notBefore="2026-11-24T12:03:00Z",
    )
    assert plan_of(run.observed(profiles=the_default(GPU))).create == ()
    assert len(plan_of(run.observed(profiles=the_default(CHANGED))).create) == 1


def test_who_lacks_memory_is_told_where_it_is_given() -> None:
    profile = GPU.with_spec("overridable", [])
    job = a_job().failed(137, at=at(-1), termination_reason="OOMKilled")
    run = started().with_spec("backoffLimit", 0)
    message = says(plan_of(run.observed(job, profiles=the_default(profile))))[3]
    assert "raise spec.memory.default of ComputeProfile gpu (16Gi)" in message
