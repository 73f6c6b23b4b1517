from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sealyard.core.observed import ObservedJob
from sealyard.core.plan import Plan
from sealyard.core.training_run import reconcile
from support.builders import (
    CLAIMS,
    NOW,
    PINNED_IMAGE,
    WITH_PROGRESS,
    a_job,
    a_training_run,
    at,
    condition,
    job_names,
    ledger,
    says,
    task_of,
    time_of,
)
from support.run_attempts import FIRST_JOB, HOW, SECOND_JOB, ended, plan_of, started
from support.specs import S3_DATASET, TRAIN_RESULT


def test_a_new_run_gets_its_first_job() -> None:
    plan = plan_of(a_training_run().observed())
    assert job_names(plan) == [FIRST_JOB]
    assert says(plan) == (
        "Pending",
        "FTF",
        "Pending",
        f"waiting for the pod of Job {FIRST_JOB}",
    )
    assert plan.status["attempts"] == 1
    assert plan.status["startTime"] == time_of(NOW)
    assert plan.status["image"] == "sealyard/trainer:1"
    assert plan.events == ()
    assert not plan.status.keys() & {"progress", "summary"}


def test_a_run_that_is_being_deleted_is_left_alone() -> None:
    assert plan_of(a_training_run().being_deleted().observed()) == Plan()


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (
            a_job().active(),
            ("Pending", "FTF", "Pending", "waiting for the pod of Job train-1"),
        ),
        (
            a_job().waiting("ContainerCreating"),
            ("Pending", "FTF", "Pending", "waiting for the pod of Job train-1"),
        ),
        (
            a_job().waiting("ImagePullBackOff", "no such image"),
            (
                "Pending",
                "FTF",
                "PodNotStarted",
                "pod train-1-pod cannot start: ImagePullBackOff: no such image",
            ),
        ),
        (
            a_job().created_at(at(-5)).waiting("Unschedulable", "0/1 nodes"),
            ("Pending", "FTF", "Pending", "waiting for the pod of Job train-1"),
        ),
        (
            a_job().running(),
            ("Running", "FTF", "Training", "attempt 1 is training in Job train-1"),
        ),
    ],
)
def test_a_live_job_is_shown(job: ObservedJob, expected: tuple[str, ...]) -> None:
    plan = plan_of(started().observed(job))
    assert says(plan) == expected
    assert plan.create == ()
    assert plan.status["jobRef"] == {"name": "train-1", "uid": "train-1-uid"}


def test_an_unscheduled_pod_is_looked_at_again_when_patience_ends() -> None:
    plan = plan_of(started().observed(a_job().created_at(at(-4)).waiting("Unschedulable")))
    assert plan.requeue_after == pytest.approx(6.1)


def test_the_image_is_pinned_when_a_node_tells_its_digest() -> None:
    job = a_job().running(image_id=f"docker-pullable://{PINNED_IMAGE}")
    assert plan_of(started().observed(job)).status["image"] == PINNED_IMAGE
    local = a_job().running(image_id="sha256:0123")
    assert plan_of(started().observed(local)).status["image"] == "sealyard/trainer:1"


def test_later_attempts_run_the_pinned_image() -> None:
    run = started().with_status(image=PINNED_IMAGE)
    plan = plan_of(run.observed(a_job().failed(143)))
    assert job_names(plan) == [SECOND_JOB]
    assert plan.create[0]["spec"]["template"]["spec"]["containers"][0]["image"] == PINNED_IMAGE


def test_a_run_succeeds() -> None:
    run = started().with_status(
        summary={"progress": "93 %", "eta": "3s", "gpu": "kept"}, progress={"epoch": 15}
    )
    plan = plan_of(
        started().observed(a_job().complete(TRAIN_RESULT | {"resumedFromEpoch": 3}, at=at(-1)))
    )
    assert says(plan) == (
        "Succeeded",
        "TFF",
        "Succeeded",
        "trained 16 epochs on 200 images, mAP50 0.981 and mAP50-95 0.861",
    )
    status = plan.status
    assert status["summary"] == {
        "progress": "100 %",
        "eta": "0s",
        "epoch": "16/16",
        "map50_95": "0.861",
    }
    assert status["progress"]["percent"] == 100
    assert status["completionTime"] == time_of(at(-1))
    assert status["resumedFromEpoch"] == 3
    assert status["artifacts"] == TRAIN_RESULT["artifacts"]
    assert status["dataset"] == TRAIN_RESULT["dataset"]
    assert ledger(status, "train")["done"] is True
    assert [event.type for event in plan.events] == ["Normal"]
    after = run.after(plan).build()
    assert after.status.summary is not None
    assert after.status.summary["gpu"] == "kept"


@pytest.mark.parametrize(
    ("job", "reason", "message"),
    [
        (a_job().failed(64, "labels/3.txt: class 9"), "InvalidInput", "labels/3.txt: class 9"),
        (a_job().failed(65, "last.pt is not whole"), "IntegrityFailed", "last.pt is not whole"),
        (
            a_job().failed_without_pod("DeadlineExceeded"),
            "DeadlineExceeded",
            "Job train-1 ran longer than its deadline",
        ),
    ],
)
def test_what_no_retry_mends_fails_at_once(job: ObservedJob, reason: str, message: str) -> None:
    plan = plan_of(started().with_status(summary={"eta": "3s"}).observed(job))
    assert says(plan) == ("Failed", "FFT", reason, message + HOW)
    assert condition(plan, "Stalled")["message"] == message + HOW
    assert plan.status["completionTime"] == time_of(NOW)
    assert plan.status["summary"] == {"eta": None}
    assert [event.type for event in plan.events] == ["Warning"]
    assert plan.create == ()


def test_too_many_attempts_fail() -> None:
    run = started(4, failures=3).with_spec("backoffLimit", 3)
    plan = plan_of(run.observed(a_job(attempt=4).failed(1)))
    assert says(plan)[:3] == ("Failed", "FFT", "BackoffLimitExceeded")
    assert says(plan)[3] == (
        "4 attempts failed, 3 retries were allowed; the last: pod train-4-pod failed "
        "(exit code 1)" + HOW
    )


def test_out_of_memory_says_what_to_raise() -> None:
    run = started().with_spec("backoffLimit", 0)
    plan = plan_of(run.observed(a_job().failed(137, termination_reason="OOMKilled")))
    assert says(plan) == (
        "Failed",
        "FFT",
        "OutOfMemory",
        "1 attempt failed, no retry was allowed; the last: pod train-1-pod ran out of memory; "
        "raise spec.compute.memory (4Gi), or train with a smaller batch" + HOW,
    )


def test_five_attempts_without_an_epoch_fail() -> None:
    run = started(5, failures=4, idle=4, epoch=3).with_spec("backoffLimit", 50)
    run = run.with_status(
        progress={"epoch": 3, "epochs": 16, "percent": 20, "updatedAt": time_of(NOW)}
    )
    observed = run.observed(a_job(attempt=5).failed(143))
    plan = reconcile(observed, WITH_PROGRESS, NOW)
    assert says(plan)[2] == "NoProgress"
    assert says(plan)[3].startswith("5 attempts in a row ended without a new epoch; the last: pod")
    # Without an endpoint nobody reports epochs, so nothing can be concluded from their absence.
    assert job_names(plan_of(observed)) == []
    assert says(plan_of(observed))[2] == "Retrying"


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (66, "Secret x has no key y", "InputMissing"),
        (69, "the store is down", "RemoteUnavailable"),
        (77, "the login was refused", "CredentialsRefused"),
        (1, None, "Retrying"),
    ],
)
def test_what_is_waited_for(code: int, message: str | None, reason: str) -> None:
    plan = plan_of(started().observed(a_job().failed(code, message)))
    told = message or "attempt 1 ended: pod train-1-pod failed (exit code 1)"
    assert says(plan) == ("Pending", "FTF", reason, f"{told}; again at {time_of(at(10))}")
    assert plan.requeue_after == 10
    assert plan.create == ()
    assert [event.type for event in plan.events] == ["Warning"]


def test_waiting_again_for_the_same_is_no_news() -> None:
    run = started(2, waits=1, lastEnd=ended(1, 69, "RemoteUnavailable"))
    plan = plan_of(run.observed(a_job(attempt=2).failed(69, "down")))
    assert says(plan)[2] == "RemoteUnavailable"
    assert plan.events == ()


@pytest.mark.parametrize(
    "change", [lambda run: run.of_generation(2), lambda run: run.requested_at(NOW)]
)
def test_a_change_of_the_run_ends_a_wait(change: Any) -> None:
    run = started(1, waits=3, lastEnd=ended(1, 69, "RemoteUnavailable"), notBefore=time_of(at(99)))
    assert job_names(plan_of(run.observed())) == []
    assert job_names(plan_of(change(run).observed())) == [SECOND_JOB]


def test_a_wait_ends_in_time() -> None:
    run = started(1, waits=1, lastEnd=ended(1, 69, "RemoteUnavailable"), notBefore=time_of(NOW))
    plan = plan_of(run.observed())
    assert job_names(plan) == [SECOND_JOB]
    assert "notBefore" not in ledger(plan.status, "train")


@pytest.mark.parametrize(
    "jobs", [(), (a_job().failed(143),), (a_job().failed(137),), (a_job().failed_without_pod(),)]
)
def test_the_first_interruption_resumes_at_once(jobs: tuple[ObservedJob, ...]) -> None:
    plan = plan_of(started().observed(*jobs))
    assert job_names(plan) == [SECOND_JOB]
    assert plan.status["attempts"] == 2
    assert task_of(plan.create[0])["attempt"] == 2


def test_a_job_that_was_never_written_down_is_not_created_again() -> None:
    plan = plan_of(a_training_run().observed(a_job().running()))
    assert plan.create == ()
    assert plan.status["attempts"] == 1
    assert plan.status["startTime"] == time_of(at(-60))


def test_a_dataset_in_a_store_needs_no_claim() -> None:
    run = a_training_run().with_spec("dataset", {"s3": S3_DATASET})
    assert job_names(plan_of(run.observed(claims=CLAIMS[1:]))) == [FIRST_JOB]
    assert says(plan_of(run.observed(claims=())))[2] == "ClaimMissing"


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        ((), "dataset (spec.dataset.persistentVolumeClaim.claimName)"),
        (CLAIMS[:1], "workspace (spec.workspace.persistentVolumeClaim.claimName)"),
        (
            (CLAIMS[0], replace(CLAIMS[1], deleting=True)),
            "workspace (spec.workspace.persistentVolumeClaim.claimName)",
        ),
    ],
)
def test_a_missing_claim_is_named(claims: Any, missing: str) -> None:
    plan = plan_of(a_training_run().observed(claims=claims))
    assert says(plan) == (
        "Pending",
        "FTF",
        "ClaimMissing",
        (
            f"PersistentVolumeClaim {missing} does not exist in namespace coins: create it, "
            "and the run goes on"
        ),
    )
    assert plan.create == ()
    assert [event.type for event in plan.events] == ["Warning"]
    recovered = plan_of(a_training_run().after(plan).observed())
    assert job_names(recovered) == [FIRST_JOB]


def test_what_ultralytics_would_refuse_is_stalled_before_any_job() -> None:
    run = a_training_run().with_spec("hyperparameters.extra", {"lr": 1})
    plan = plan_of(run.observed(claims=()))
    assert says(plan) == (
        "Failed",
        "FFT",
        "InvalidSpec",
        "spec.hyperparameters.extra.lr: ultralytics 8.4.190 has no such training argument; did "
        "you mean lrf, lr0?" + HOW,
    )
    assert plan.create == ()


def test_a_run_that_has_started_is_not_judged_by_a_newer_operator() -> None:
    run = started().with_spec("hyperparameters.extra", {"lr": 1})
    assert job_names(plan_of(run.observed(a_job().failed(143)))) == [SECOND_JOB]


def test_somebody_else_s_job_is_in_the_way() -> None:
    plan = plan_of(a_training_run().observed(foreign_jobs=(FIRST_JOB,)))
    assert says(plan) == (
        "Pending",
        "FFT",
        "NameTaken",
        f"Job {FIRST_JOB} belongs to somebody else: delete it, and the run goes on",
    )
    assert plan.create == ()


def test_the_deadline_is_what_is_left_of_it() -> None:
    run = a_training_run().with_spec("activeDeadlineSeconds", 7200)
    first = plan_of(run.observed())
    assert first.create[0]["spec"]["activeDeadlineSeconds"] == 7200
    again = started().with_spec("activeDeadlineSeconds", 7200)
    second = plan_of(again.observed(a_job().failed(143)))
    assert second.create[0]["spec"]["activeDeadlineSeconds"] == 3600


def test_the_deadline_also_ends_waiting() -> None:
    run = started(1, waits=1, lastEnd=ended(1, 69, "RemoteUnavailable"), notBefore=time_of(at(99)))
    plan = plan_of(run.with_spec("activeDeadlineSeconds", 3600).observed())
    assert says(plan) == (
        "Failed",
        "FFT",
        "DeadlineExceeded",
        "not done within spec.activeDeadlineSeconds (3600); the last attempt ended: it ended" + HOW,
    )


def test_waiting_looks_again_at_the_deadline() -> None:
    run = started(1, waits=1, lastEnd=ended(1, 69, "RemoteUnavailable"), notBefore=time_of(at(99)))
    plan = plan_of(run.with_spec("activeDeadlineSeconds", 3630).observed())
    assert plan.requeue_after == 30
