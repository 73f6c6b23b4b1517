"""A run in a queue of Kueue: it waits, is admitted, loses its place and gets it back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.core.observed import ObservedJob
from sealyard.core.plan import JobKey
from sealyard.core.training_run import reconcile
from support.builders import (
    NOW,
    SETTINGS,
    WITH_PROGRESS,
    a_job,
    a_training_run,
    at,
    job_names,
    ledger,
    says,
    time_of,
)
from support.run_attempts import FIRST_JOB, SECOND_JOB, plan_of, started

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
QUEUED = started().with_spec("queueName", "gpu")
ADMITTED = replace(a_job().running(started_at=NOW), queue="gpu", begun_at=at(-5))
PREEMPTED = replace(ADMITTED, suspended=True)


@pytest.mark.parametrize(("queue", "suspend"), [("gpu", True), (None, None)])
def test_a_job_is_born_suspended_where_a_queue_is_named(
    queue: str | None, suspend: bool | None
) -> None:
    run = a_training_run().with_spec("queueName", queue).with_spec("activeDeadlineSeconds", 600)
    [job] = plan_of(run.observed()).create
    assert job["spec"].get("suspend") == suspend
    assert job["metadata"]["labels"].get(QUEUE_LABEL) == queue
    assert QUEUE_LABEL not in job["spec"]["template"]["metadata"]["labels"], "Jobs are queued"
    assert job["spec"]["activeDeadlineSeconds"] == 600


@pytest.mark.parametrize(
    ("job", "reason", "part"),
    [
        (a_job().queued(), "Queued", "Job train-1 waits in LocalQueue gpu until Kueue admits it"),
        (a_job().queued(None), "Queued", "Job train-1 is suspended, and not by the operator"),
        # Its pod has not gone yet: it writes its checkpoint.
        (PREEMPTED, "Queued", "until Kueue admits it"),
        (replace(PREEMPTED, pod=None), "Queued", "until Kueue admits it"),
    ],
)
def test_who_is_not_admitted_is_queued(job: ObservedJob, reason: str, part: str) -> None:
    plan = plan_of(QUEUED.observed(job))
    assert says(plan)[:3] == ("Queued", "FTF", reason)
    assert part in says(plan)[3]
    assert (plan.create, plan.delete, plan.requeue_after) == ((), (), None)
    assert plan.status["startTime"] is None


def test_what_was_admitted_and_is_taken_back_is_no_failure() -> None:
    waiting = QUEUED.after(plan_of(QUEUED.observed(a_job().queued())))
    admitted = plan_of(waiting.observed(ADMITTED))
    assert says(admitted)[:3] == ("Running", "FTF", "Training")
    assert admitted.status["startTime"] == time_of(at(-5))
    back = plan_of(waiting.after(admitted).observed(PREEMPTED))
    assert says(back)[:3] == ("Queued", "FTF", "Preempted")
    assert says(back)[3] == (
        "Job train-1 was suspended after it had been admitted, to make room for another, say; it "
        "waits in LocalQueue gpu to be admitted again, and goes on from its last checkpoint"
    )
    assert [event.reason for event in back.events] == ["Preempted"]
    kept = ledger(back.status, "train")
    assert (kept["started"], kept.get("failures", 0), kept.get("lastEnd")) == (1, 0, None)
    again = plan_of(waiting.after(admitted).after(back).observed(replace(PREEMPTED, pod=None)))
    assert (says(again)[2], again.events) == ("Preempted", ())
    resumed = plan_of(waiting.after(admitted).after(back).observed(ADMITTED))
    assert says(resumed)[:3] == ("Running", "FTF", "Training")


@pytest.mark.parametrize("seconds", [1, 90_000])
def test_no_deadline_passes_in_a_queue(seconds: int) -> None:
    run = QUEUED.with_spec("activeDeadlineSeconds", 600).with_spec("progressDeadlineSeconds", 60)
    waiting = run.after(plan_of(run.observed(a_job().queued())))
    for job in (a_job().queued(), PREEMPTED):
        plan = reconcile(waiting.observed(job), WITH_PROGRESS, at(seconds))
        assert (says(plan)[0], plan.delete) == ("Queued", ())
    # Just admitted: Kubernetes has not said yet when it began.
    job = replace(ADMITTED, begun_at=None)
    plan = reconcile(waiting.observed(job), SETTINGS, at(seconds))
    assert says(plan)[0] == "Running"
    assert "startTime" not in plan.status


@pytest.mark.parametrize(
    ("wanted", "queue", "moves"),
    [
        ("gpu", "gpu", False),
        ("large", "gpu", True),
        (None, "gpu", False),
        ("large", None, False),
    ],
)
def test_a_job_that_waits_in_the_wrong_queue_is_replaced(
    wanted: str | None, queue: str | None, moves: bool
) -> None:
    run = QUEUED.with_spec("queueName", wanted)
    plan = plan_of(run.observed(a_job().queued(queue)))
    gone = (JobKey("coins", "train-1", "train-1-uid", after_its_pods=True),)
    assert plan.delete == (gone if moves else ())
    if not moves:
        return
    after = run.after(plan)
    [job] = plan_of(after.observed()).create
    assert (job["metadata"]["name"], job["metadata"]["labels"][QUEUE_LABEL]) == (SECOND_JOB, wanted)
    assert ledger(plan.status, "train").get("failures", 0) == 0


def test_a_job_that_was_admitted_stays_where_it_is() -> None:
    run = QUEUED.with_spec("queueName", "large")
    assert plan_of(run.observed(ADMITTED)).delete == ()


def test_suspending_the_run_takes_it_out_of_the_queue() -> None:
    run = QUEUED.with_spec("suspend", True)
    plan = plan_of(run.observed(a_job().queued()))
    assert (says(plan)[0], len(plan.delete)) == ("Suspended", 1)
    assert job_names(plan_of(a_training_run().observed())) == [FIRST_JOB]


def test_a_pod_gets_its_time_to_start_from_the_admission() -> None:
    old = a_job().created_at(at(-9000)).waiting("ImagePullBackOff")
    fresh = replace(old, queue="gpu", begun_at=at(-2))
    assert says(plan_of(QUEUED.observed(old)))[2] == "PodNotStarted"
    assert says(plan_of(QUEUED.observed(fresh)))[2] == "Pending"


def test_a_set_that_ran_out_of_time_is_not_begun_again() -> None:
    run = QUEUED.with_spec("activeDeadlineSeconds", 600)
    started = run.after(plan_of(run.observed(a_job().queued())))
    started = started.after(plan_of(started.observed(replace(ADMITTED, is_set=True))))
    # Its Job was ended, and the set only says that one of its Jobs failed.
    ended = a_job().failed(None, at=at(596))
    over = replace(ended, queue="gpu", is_set=True, failure_reason="FailedJobs", pod=None)
    plan = reconcile(started.observed(over), SETTINGS, at(620))
    assert (says(plan)[0], says(plan)[2]) == ("Failed", "DeadlineExceeded")
    assert plan.create == ()
