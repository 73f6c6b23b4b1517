"""Runs and releases are judged by the ComputeProfiles that are applied with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from sealyard.lint.lint import lint
from support.laptop import a_run

NOW = datetime(2026, 11, 26, tzinfo=UTC)
REFUSED = (
    "spec.compute.gpus: 2 is not for a run to choose with ComputeProfile gpu: leave the field out, "
    "which gives 1 (OverrideRefused)"
)


def profile(name: str = "gpu", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": name},
        "spec": {"gpus": {"default": 1, "min": 1, "max": 4}, **spec},
    }


def run_on(gpus: int, **more: Any) -> dict[str, Any]:
    run = a_run()
    run["spec"] |= {"compute": {"gpus": gpus}, **more}
    return run


def findings(*files: list[dict[str, Any]]) -> list[str]:
    texts = [(f"{number}.yaml", yaml.safe_dump_all(file)) for number, file in enumerate(files)]
    return [finding.message for report in lint(texts, NOW) for finding in report.findings]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([[run_on(2), profile(default=True)]], [REFUSED]),
        ([[run_on(2)], [profile(default=True)]], [REFUSED]),
        ([[run_on(2, profileRef={"name": "gpu"}), profile()]], [REFUSED]),
        ([[run_on(2, profileRef={"name": "gpu"}), profile(overridable=["gpus"])]], []),
        ([[run_on(2, profileRef={"name": "other"}), profile()]], []),
        ([[run_on(2), profile()]], []),
    ],
)
def test_what_a_profile_refuses(files: list[list[dict[str, Any]]], said: list[str]) -> None:
    assert findings(*files) == said


def test_two_defaults() -> None:
    [said] = findings([run_on(1), profile(default=True), profile("other", default=True)])
    assert said.startswith("ComputeProfiles gpu and other have spec.default: true")


def test_a_profile_that_is_no_good_is_told_and_judges_nobody() -> None:
    [said] = findings([run_on(2), profile(default=True, overridable=["colour"])])
    assert said.startswith("spec.overridable[0] is colour: must be one of")


def test_a_batch_that_cannot_be_shared_out() -> None:
    run = run_on(2, hyperparameters={"batch": 7})
    [said] = findings([run, profile(default=True, overridable=["gpus"])])
    assert said == (
        "spec.hyperparameters.batch is 7 and 2 processes train; a multiple of 2 is wanted "
        "(nodes: 1, gpus: 2) (InvalidSpec)"
    )
