"""A run that is fine-tuned: what it waits for, what is pinned, and what its Job gets."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.core.observed import ObservedClaim
from sealyard.core.training_run import reconcile
from support.builders import (
    CLAIMS,
    WITH_PROGRESS,
    RunBuilder,
    a_job,
    a_training_run,
    at,
    job_names,
    says,
    task_of,
)
from support.run_attempts import FIRST_JOB, SECOND_JOB
from support.specs import DIGEST

BASE = a_training_run().named("base", uid="base-uid").succeeded()
TUNED = a_training_run().with_spec("model.weights", {"trainingRunRef": {"name": "base"}})
PINNED = {
    "claimName": "workspace",
    "path": "runs/coins-1/best.pt",
    "sha256": DIGEST,
    "trainingRun": "base",
    "trainingRunUid": "base-uid",
}
NO_STORE = {"s3": None}
"""Taken out of a status that has one."""
FILE = {"claimName": "models", "path": "yolo/best.pt", "sha256": DIGEST}
OTHER = BASE.named("base", uid="other-uid")


def plan_of(
    run: RunBuilder, *jobs: Any, source: RunBuilder | None = None, later: float = 0, **more: Any
) -> Any:
    return reconcile(run.observed(*jobs, source=source, **more), WITH_PROGRESS, at(later))


@pytest.mark.parametrize(
    ("source", "letters", "reason", "part"),
    [
        (None, "FTF", "TrainingRunMissing", "TrainingRun base (spec.model.weights.trainingRunRef"),
        (BASE.with_status(phase="Running"), "FTF", "WaitingForTraining", "waiting until TrainingR"),
        (BASE.with_status(phase="Failed"), "FFT", "TrainingFailed", "(spec.model.weights) failed"),
    ],
)
def test_it_waits_for_the_earlier_run(
    source: RunBuilder | None, letters: str, reason: str, part: str
) -> None:
    plan = plan_of(TUNED, source=source)
    phase, *conditions, message = says(plan)
    assert (phase, *conditions) == ("Pending", letters, reason)
    assert part in message
    assert plan.create == ()
    assert job_names(plan_of(TUNED.after(plan), source=BASE)) == [FIRST_JOB]


def test_what_an_earlier_run_made_is_pinned_and_mounted() -> None:
    plan = plan_of(TUNED, source=BASE)
    assert plan.status["weights"] == PINNED | NO_STORE
    task = task_of(plan.create[0])
    assert (task["weights"], task["taskVersion"]) == (PINNED, 2)
    [container] = plan.create[0]["spec"]["template"]["spec"]["containers"]
    mount = {"name": "weights", "mountPath": "/weights", "readOnly": True}
    assert mount in container["volumeMounts"]


def test_a_file_is_pinned_and_its_claim_waited_for() -> None:
    run = a_training_run().with_spec("model.weights", {"persistentVolumeClaim": FILE})
    missing = plan_of(run)
    assert says(missing)[2] == "ClaimMissing"
    assert "models (spec.model.weights.persistentVolumeClaim.claimName)" in says(missing)[3]
    claim = ObservedClaim("models", ("ReadOnlyMany",), "Bound")
    assert plan_of(run, claims=(*CLAIMS, claim)).status["weights"] == FILE | NO_STORE


@pytest.mark.parametrize("source", [None, BASE])
def test_a_later_attempt_starts_from_what_was_pinned(source: RunBuilder | None) -> None:
    run = TUNED.after(plan_of(TUNED, source=BASE))
    plan = plan_of(run, a_job().failed(143), source=source)
    assert job_names(plan) == [SECOND_JOB]
    assert task_of(plan.create[0])["weights"] == PINNED


def test_a_source_that_was_replaced_ends_a_run_that_has_learnt_nothing() -> None:
    run = TUNED.after(plan_of(TUNED, source=BASE))
    plan = plan_of(run, a_job().failed(143), source=OTHER)
    assert says(plan)[:3] == ("Failed", "FFT", "SourceReplaced")
    again = plan_of(run.after(plan).requested_at(at(60)), source=OTHER, later=61)
    assert again.status["weights"] == PINNED | NO_STORE | {"trainingRunUid": "other-uid"}
    progress = {"epoch": 1, "epochs": 16, "percent": 6, "updatedAt": "2026-11-24T12:00:00Z"}
    learnt = plan_of(run.with_status(progress=progress), a_job().failed(143), source=OTHER)
    assert task_of(learnt.create[0])["weights"] == PINNED


@pytest.mark.parametrize(
    ("run", "source", "reason"),
    [
        (TUNED, BASE.with_status(artifacts=[]), "InvalidInput"),
        (TUNED.named("base", uid="run-uid"), None, "InvalidSpec"),
    ],
)
def test_what_cannot_be_started_from(
    run: RunBuilder, source: RunBuilder | None, reason: str
) -> None:
    assert says(plan_of(run, source=source))[:3] == ("Failed", "FFT", reason)
