"""A run in a queue, on a real API server and with Kubernetes' own Job controller."""

from __future__ import annotations

from typing import Any

import pytest

from support.kueue import QUEUE_LABEL, Kueue
from support.operator import Kubectl, OperatorProcess, wait_for
from support.training import CLAIMS, Run, run_manifest

pytestmark = pytest.mark.cluster

FLAVOR = {"example.com/pool": "spot"}


def wait_for_other_pod(kubectl: Kubectl, job: str, former: dict[str, Any] | None) -> dict[str, Any]:
    """The pod of a Job, once it is another than the former one."""
    uid = former["metadata"]["uid"] if former else None

    def look() -> dict[str, Any] | None:
        pods = kubectl.get("pods", "", f"--selector=batch.kubernetes.io/job-name={job}")["items"]
        return next((pod for pod in pods if pod["metadata"]["uid"] != uid), None)

    return wait_for(look, what=f"another pod of {job}")


def test_a_run_waits_is_admitted_preempted_and_admitted_again(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kueue = Kueue(kubectl)
    kubectl.apply(*CLAIMS, run_manifest("coins", queueName="gpu", activeDeadlineSeconds=3600))
    run = Run(kubectl, "coins")
    run.wait_for_phase("Queued")
    assert run.condition()["reason"] == "Queued"
    [job] = run.jobs()
    name = job["metadata"]["name"]
    assert (job["spec"]["suspend"], job["metadata"]["labels"][QUEUE_LABEL]) == (True, "gpu")
    assert "jobRef" not in run.status
    assert "startTime" not in run.status

    kueue.admit(name, FLAVOR)
    pod = wait_for_other_pod(kubectl, name, None)
    assert pod["spec"]["nodeSelector"] == FLAVOR
    run.play_start(pod)
    started = run.wait_for_phase("Running")
    assert started["startTime"]

    kueue.preempt(name)
    back = run.wait_for_phase("Queued")
    assert run.condition()["reason"] == "Preempted"
    assert "startTime" not in back

    kueue.admit(name, FLAVOR)
    second = wait_for_other_pod(kubectl, name, pod)
    run.play_start(second)
    run.wait_for_phase("Running")
    run.play_end(second)
    done = run.wait_for_phase("Succeeded")
    [ledger] = done["tasks"]
    assert (done["attempts"], ledger.get("failures", 0)) == (1, 0)
    [job] = run.jobs()
    assert job["spec"]["suspend"] is False

    columns = kubectl("get", "trainingrun", "coins", "-o", "wide").splitlines()
    assert columns[0].split().count("QUEUE") == 1
    assert "gpu" in columns[1].split()


def test_a_run_leaves_its_queue_for_another_and_for_good(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.apply(*CLAIMS, run_manifest("coins", queueName="typo"))
    run = Run(kubectl, "coins")
    run.wait_for_phase("Queued")
    kubectl.apply(run_manifest("coins", queueName="gpu"))

    def moved() -> bool:
        jobs = run.jobs()
        return [job["metadata"]["labels"][QUEUE_LABEL] for job in jobs] == ["gpu"]

    wait_for(moved, what="the Job in the other queue")
    run.wait_for_phase("Queued")
    kubectl.apply(run_manifest("coins", queueName="gpu", suspend=True))
    run.wait_for_phase("Suspended")
    wait_for(lambda: not run.jobs(), what="no Job")
    [ledger] = run.status["tasks"]
    assert ledger.get("failures", 0) == 0
