"""What the operator itself ends: a run that is suspended, and a pod that says nothing any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.core.observed import ObservedJob
from sealyard.core.plan import JobKey, Plan
from sealyard.core.training_run import reconcile
from support.builders import (
    NOW,
    SETTINGS,
    WITH_PROGRESS,
    RunBuilder,
    a_job,
    a_training_run,
    at,
    job_names,
    ledger,
    says,
    time_of,
)
from support.run_attempts import SECOND_JOB, plan_of, started

GONE = JobKey("coins", "train-1", "train-1-uid", after_its_pods=True)
SUSPENDED = started().with_spec("suspend", True)
HASTY = started().with_spec("progressDeadlineSeconds", 600)


def deleting(job: ObservedJob, since: float = 0) -> ObservedJob:
    return replace(job, deleted_at=at(since))


def test_a_run_that_is_suspended_ends_its_pod_and_resumes() -> None:
    plan = plan_of(SUSPENDED.observed(a_job().running()))
    assert plan.delete == (GONE,)
    assert says(plan) == (
        "Suspended",
        "FTF",
        "Suspended",
        "suspended; set spec.suspend to false, and it goes on where it was",
    )
    end = ledger(plan.status, "train")
    assert (end["lastEnd"]["reason"], end.get("failures", 0)) == ("Suspended", 0)
    after = SUSPENDED.after(plan)
    # Its pod still writes what it learnt; whoever wants it back at once waits for that.
    still = plan_of(after.observed(deleting(a_job().running())))
    assert (still.delete, still.create, says(still)[0]) == ((), (), "Suspended")
    back = after.with_spec("suspend", False)
    waits = plan_of(back.observed(deleting(a_job().running())))
    assert (waits.create, waits.events) == ((), ())
    assert says(waits)[:3] == ("Pending", "FTF", "Retrying")
    assert says(waits)[3] == "waiting until the pod of Job train-1 has ended"
    resumed = plan_of(back.observed())
    assert job_names(resumed) == [SECOND_JOB]
    assert resumed.status["startTime"] == time_of(NOW)


def test_nothing_starts_in_a_run_that_was_suspended_from_the_beginning() -> None:
    run = a_training_run().with_spec("suspend", True)
    plan = plan_of(run.observed())
    assert (plan.create, plan.delete, says(plan)[0]) == ((), (), "Suspended")
    assert "attempts" not in plan.status
    assert len(plan_of(run.after(plan).with_spec("suspend", False).observed()).create) == 1


def test_suspending_for_long_is_no_missed_deadline() -> None:
    run = SUSPENDED.with_spec("activeDeadlineSeconds", 4000)
    plan = plan_of(run.observed(a_job().running()))
    later = reconcile(run.after(plan).observed(), SETTINGS, at(5000))
    assert says(later)[0] == "Suspended"
    back = run.after(plan).with_spec("suspend", False)
    resumed = reconcile(back.observed(), SETTINGS, at(5000))
    assert resumed.create[0]["spec"]["activeDeadlineSeconds"] == 4000


def test_a_deletion_that_was_lost_is_done_again() -> None:
    after = SUSPENDED.after(plan_of(SUSPENDED.observed(a_job().running())))
    assert plan_of(after.observed(a_job().running())).delete == (GONE,)
    back = plan_of(after.with_spec("suspend", False).observed(a_job().running()))
    assert (back.delete, back.create) == ((GONE,), ())


def test_a_run_that_has_come_to_its_end_cannot_be_suspended() -> None:
    run = SUSPENDED.with_status(phase="Succeeded")
    assert plan_of(run.observed()).status.get("phase") is None


def progress_of(epoch: int) -> dict[str, object]:
    return {"epoch": epoch, "epochs": 99, "percent": epoch, "updatedAt": time_of(at(-5))}


def progress_at(reported: float) -> dict[str, object]:
    return {"epoch": 1, "epochs": 9, "percent": 11, "updatedAt": time_of(at(reported))}


def look(run: RunBuilder, job: ObservedJob, reported: float | None = None) -> Plan:
    if reported is not None:
        run = run.with_status(progress=progress_at(reported))
    return reconcile(run.observed(job), WITH_PROGRESS, NOW)


@pytest.mark.parametrize(
    ("began", "reported", "left"),
    [
        (-599, None, 1),
        (-600, None, 0),
        (-9000, -599, 1),
        (-9000, -600, 0),
        # What an earlier attempt reported says nothing of this one.
        (-100, -9000, 500),
    ],
)
def test_a_pod_that_says_nothing_is_ended(began: float, reported: float | None, left: int) -> None:
    plan = look(HASTY, a_job().running(started_at=at(began)), reported)
    if left:
        assert (plan.delete, plan.requeue_after) == ((), left)
        return
    assert plan.delete == (GONE,)
    assert says(plan)[:3] == ("Pending", "FTF", "Retrying")
    assert says(plan)[3] == (
        "attempt 1 ended: attempt 1 reported no progress for spec.progressDeadlineSeconds (600)"
    )
    end = ledger(plan.status, "train")
    assert (end["lastEnd"]["reason"], end["failures"]) == ("Stuck", 1)


@pytest.mark.parametrize(
    ("reported", "deleted", "reason"),
    [
        (None, -80, "Stuck"),
        (-680, -80, "Stuck"),
        (-680, -81, "Stuck"),  # and a fraction, which Kubernetes leaves out
        (-679, -81, None),
        (-600, -80, None),
        (-60, -80, None),
    ],
)
def test_an_operator_that_died_before_it_could_say_why(
    reported: float | None, deleted: float, reason: str | None
) -> None:
    """The pod of the Job that it deleted still writes its checkpoint."""
    run = HASTY if reported is None else HASTY.with_status(progress=progress_at(reported))
    job = deleting(a_job().running(started_at=at(-9000)), deleted)
    restarted = replace(WITH_PROGRESS, reachable_since=at(-5))
    plan = reconcile(run.observed(job), restarted, NOW)
    assert plan.delete == ()
    end = ledger(plan.status, "train").get("lastEnd")
    assert (end["reason"] if end else None) == reason
    after = run.after(plan)
    if reason is None:
        assert says(plan)[2] == "Training"
        return
    assert says(reconcile(after.observed(job), restarted, NOW))[2] == "Retrying"
    later = reconcile(after.observed(), restarted, at(60))
    assert ledger(later.status, "train")["lastEnd"]["reason"] == reason


@pytest.mark.parametrize(
    "job",
    [
        a_job().active(),
        a_job().waiting("Unschedulable"),
        deleting(a_job().running(started_at=at(-9000))),
        a_job().running(started_at=at(-9000), deleted_by=at(-61)),
    ],
)
def test_only_a_pod_that_runs_can_be_stuck(job: ObservedJob) -> None:
    assert look(HASTY, job).delete == ()


def test_without_an_endpoint_nobody_can_report() -> None:
    job = a_job().running(started_at=at(-9000))
    assert reconcile(HASTY.observed(job), SETTINGS, NOW).delete == ()
    assert look(started(), job).delete == ()


def test_a_pod_that_is_stuck_too_often_is_given_up() -> None:
    run = started(4, failures=3).with_spec("progressDeadlineSeconds", 600)
    job = replace(a_job(attempt=4).running(started_at=at(-9000)))
    ended = run.after(look(run, job))
    plan = reconcile(ended.observed(), WITH_PROGRESS, NOW)
    assert says(plan)[:3] == ("Failed", "FFT", "BackoffLimitExceeded")
    assert "reported no progress" in says(plan)[3]


def test_a_node_that_does_not_answer_is_named() -> None:
    """As the taint manager leaves it: deleted, disrupted, and still said to run."""

    def left(deleted_by: float) -> ObservedJob:
        return a_job().running(started_at=at(-9000), deleted_by=at(deleted_by), disrupted=True)

    still = plan_of(started().observed(left(-50)))
    assert (says(still)[2], still.requeue_after) == ("Training", pytest.approx(10.1))
    plan = plan_of(started().observed(left(-60)))
    assert says(plan)[:3] == ("Running", "FTF", "NodeLost")
    assert says(plan)[3] == (
        "node node-1 of pod train-1-pod does not answer, and nobody knows whether it still writes; "
        "bring the node back, or, if it is shut down for good: kubectl taint nodes node-1 "
        "node.kubernetes.io/out-of-service=shutdown:NoExecute"
    )
    assert [event.type for event in plan.events] == ["Warning"]
    suspended = SUSPENDED.after(plan_of(SUSPENDED.observed(left(-60))))
    back = suspended.with_spec("suspend", False)
    assert says(plan_of(back.observed(deleting(left(-60)))))[2] == "NodeLost"


def test_an_operator_that_was_away_is_no_reason_to_end_anything() -> None:
    job = a_job().running(started_at=at(-9000))
    since = replace(WITH_PROGRESS, reachable_since=at(-5))
    plan = reconcile(HASTY.observed(job), since, NOW)
    assert (plan.delete, plan.requeue_after) == ((), 655)
    long_since = replace(WITH_PROGRESS, reachable_since=at(-660))
    assert reconcile(HASTY.observed(job), long_since, NOW).delete == (GONE,)


def test_suspending_is_no_sign_that_nothing_is_learnt() -> None:
    run = SUSPENDED.with_status(progress=progress_of(13))
    ledger_before = run.document["status"]["tasks"][0] | {"epoch": 3, "idle": 4}
    run = run.with_status(tasks=[ledger_before])
    plan = reconcile(run.observed(a_job().running(started_at=at(-60))), WITH_PROGRESS, NOW)
    assert (ledger(plan.status, "train")["idle"], ledger(plan.status, "train")["epoch"]) == (0, 13)
    idle = run.with_status(progress=progress_of(3))
    plan = reconcile(idle.observed(a_job().running(started_at=at(-60))), WITH_PROGRESS, NOW)
    assert ledger(plan.status, "train")["idle"] == 4
