"""An end is final, and what opens it again."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.digests import job_name
from sealyard.api.secrets import Role
from sealyard.core.observed import ObservedJob
from support.builders import (
    NOW,
    PINNED_IMAGE,
    RunBuilder,
    a_job,
    a_training_run,
    at,
    job_names,
    ledger,
    says,
    task_of,
    time_of,
)
from support.run_attempts import ended, plan_of, started
from support.specs import TRAIN_RESULT


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize("jobs", [(), (a_job().failed(1),), (a_job().complete(TRAIN_RESULT),)])
def test_the_end_is_final(phase: str, jobs: tuple[ObservedJob, ...]) -> None:
    run = started(1, failures=1, lastEnd=ended(1, 64, "InvalidInput")).with_status(
        phase=phase,
        completionTime=time_of(at(-60)),
        conditions=condition_list("Succeeded"),
    )
    plan = plan_of(run.of_generation(4).observed(*jobs, claims=()))
    assert plan.create == ()
    assert plan.events == ()
    assert plan.status["observedGeneration"] == 4
    assert [c["observedGeneration"] for c in plan.status["conditions"]] == [4]
    assert plan.status.keys() == {"observedGeneration", "conditions"}


def condition_list(reason: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "Ready",
            "status": "True",
            "reason": reason,
            "message": "",
            "lastTransitionTime": time_of(at(-60)),
            "observedGeneration": 1,
        }
    ]


def a_failed_run() -> RunBuilder:
    return started(3, failures=3, lastEnd=ended(3, 64, "InvalidInput")).with_status(
        phase="Failed", completionTime=time_of(at(-60)), image=PINNED_IMAGE
    )


def test_a_request_reopens_a_failed_run() -> None:
    run = a_failed_run().requested_at(at(-30))
    plan = plan_of(run.observed())
    assert job_names(plan) == [job_name("coins", "run-uid", Role.TRAIN, "", 4)]
    assert plan.status["completionTime"] is None
    assert plan.status["startTime"] == time_of(NOW)
    assert plan.status["image"] == "sealyard/trainer:1"
    assert ledger(plan.status, "train")["failures"] == 0
    assert task_of(plan.create[0])["requestedAt"] == time_of(at(-30))


def test_a_reopening_whose_patch_was_lost_finds_its_job() -> None:
    run = a_failed_run().requested_at(at(-30))
    plan = plan_of(run.observed(a_job(attempt=4).running()))
    assert plan.create == ()
    assert says(plan)[:3] == ("Running", "FTF", "Training")


@pytest.mark.parametrize(("seconds", "due"), [(-60, None), (-90, None), (45, 45.0)])
def test_an_older_request_is_none_and_a_future_one_waits(seconds: float, due: float | None) -> None:
    plan = plan_of(a_failed_run().requested_at(at(seconds)).observed())
    assert plan.create == ()
    assert plan.requeue_after == due


def test_a_request_does_not_reopen_what_succeeded() -> None:
    run = a_training_run().succeeded().requested_at(at(-1))
    assert plan_of(run.observed()).create == ()
