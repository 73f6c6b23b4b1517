"""A release and the ComputeProfile of its exports."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.secrets import Role
from sealyard.core.model_release import reconcile
from sealyard.core.observed import Profiles
from sealyard.core.plan import Plan
from support.builders import (
    DIGEST,
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

EXPORTER = f"registry.test/exporter@sha256:{DIGEST}"
GPU = a_compute_profile().with_spec("images.exporter", EXPORTER)
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
