"""The operator as a process against a real API server, with the rights of its chart."""

from __future__ import annotations

import json
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.digests import job_name
from support.operator import Kubectl, OperatorProcess, wait_for
from support.training import CLAIMS, Run, claim_manifest, run_manifest

pytestmark = pytest.mark.cluster

RUNS = "sealyard.io/v1alpha1/trainingruns"
JOBS = "batch/v1/jobs"
WRITES_IN_A_LIFE = 6


def apply(kubectl: Kubectl, name: str = "coins", *, claims: bool = True) -> Run:
    if claims:
        kubectl.apply(*CLAIMS)
    kubectl.apply(run_manifest(name))
    return Run(kubectl, name)


def errors(operator: OperatorProcess) -> list[str]:
    return [line for line in operator.log.splitlines() if json.loads(line)["level"] == "error"]


def writes_to(run: Run, events: list[dict[str, Any]]) -> int:
    """How often the run was written since it was made; 0 while its last version was not seen."""
    metadata = run.object["metadata"]
    seen = [
        event["object"]["metadata"]["resourceVersion"]
        for event in events
        if event["object"]["metadata"]["uid"] == metadata["uid"]
    ]
    return len(seen) - 1 if metadata["resourceVersion"] in seen else 0


def test_a_spec_that_only_the_operator_can_judge(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.apply(run_manifest("bad", model={"architecture": "yolo99n.yaml"}))
    applied = time.monotonic()
    run = Run(kubectl, "bad")
    stalled = run.wait_for_reason("InvalidSpec", "Stalled")
    print(f"Stalled {time.monotonic() - applied:.2f} s after apply")  # noqa: T201 - to report
    assert stalled["status"] == "True"
    assert "spec.model.architecture: yolo99n.yaml" in stalled["message"]

    def events() -> list[dict[str, Any]]:
        found = kubectl.get("events", "", "--field-selector=reason=InvalidSpec")["items"]
        return list(found)

    # They go out after the status.
    [event] = wait_for(events, what="the event")
    assert event["involvedObject"]["name"] == "bad"
    assert run.jobs() == []


def test_a_missing_claim_is_named_and_creating_it_is_enough(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    run = apply(kubectl, claims=False)
    missing = run.wait_for_reason("ClaimMissing")
    assert missing["status"] == "False"
    assert "data" in missing["message"]
    kubectl.apply(claim_manifest("data"))
    wait_for(lambda: "work" in run.condition()["message"], what="the other claim's name")
    assert run.jobs() == []
    kubectl.apply(claim_manifest("work"))
    run.wait_for_pod()
    assert len(run.jobs()) == 1
    assert errors(operator) == []


def test_a_workspace_of_one_node_has_one_job_at_a_time(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.apply(claim_manifest("data"), claim_manifest("work", "ReadWriteOnce"))
    first = apply(kubectl, claims=False)
    pod = first.wait_for_pod()
    second = apply(kubectl, "apples", claims=False)
    waiting = second.wait_for_reason("WaitingForWorkspace")
    [job] = first.jobs()
    assert f"work is ReadWriteOnce, and Job {job['metadata']['name']} has it" in waiting["message"]
    assert second.jobs() == []
    first.play_start(pod)
    first.play_end(pod)
    first.wait_for_phase("Succeeded")
    second.wait_for_pod()
    assert errors(operator) == []


def test_a_whole_life_takes_few_writes_and_leaves_what_the_answer_said(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    with kubectl.changes(RUNS) as seen:
        run = apply(kubectl)
        pod = run.wait_for_pod()
        run.play_start(pod)
        run.wait_for_phase("Running")
        run.play_end(pod)
        status = run.wait_for_phase("Succeeded")
        writes = wait_for(lambda: writes_to(run, seen()), what="the last version")
    print(f"{writes} writes in a life")  # noqa: T201 - a figure to report
    assert writes <= WRITES_IN_A_LIFE
    assert status["artifacts"][0]["name"] == "best.pt"
    assert status["dataset"]["images"] == 200
    assert status["progress"]["percent"] == 100
    assert status["summary"]["map50_95"] == "0.810"
    assert status["image"].startswith("registry.test/trainer@sha256:")
    assert run.condition()["status"] == "True"
    assert errors(operator) == []


@pytest.mark.parametrize("moment", ["before the Job", "pending", "running", "ended"])
def test_an_operator_that_is_killed_goes_on_where_it_was(
    operator: OperatorProcess, kubectl: Kubectl, moment: str
) -> None:
    run = apply(kubectl, claims=moment != "before the Job")
    if moment == "before the Job":
        run.wait_for_reason("ClaimMissing")
        operator.end(signal.SIGKILL)
        kubectl.apply(*CLAIMS)
        operator.start()
    pod = run.wait_for_pod()
    if moment == "pending":
        operator.end(signal.SIGKILL)
        run.play_start(pod)
        operator.start()
    run.play_start(pod)
    run.wait_for_phase("Running")
    if moment == "running":
        operator.end(signal.SIGKILL)
        operator.start()
    if moment == "ended":
        operator.end(signal.SIGKILL)
    run.play_end(pod)
    if moment == "ended":
        wait_for(lambda: run.jobs()[0]["status"].get("succeeded"), what="the Job's end")
        operator.start()
    status = run.wait_for_phase("Succeeded")
    assert status["attempts"] == 1
    assert len(run.jobs()) == 1


def test_a_job_that_is_deleted_by_hand_is_followed_by_another(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    run = apply(kubectl)
    run.wait_for_pod()
    [job] = run.jobs()
    kubectl("delete", "job", job["metadata"]["name"])
    second = run.wait_for_pod(attempt=2)
    run.play_start(second)
    run.play_end(second)
    assert run.wait_for_phase("Succeeded")["attempts"] == 2


def test_a_run_that_is_suspended_waits_for_its_pod_and_goes_on(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    run = apply(kubectl)
    pod = run.wait_for_pod()
    name = pod["metadata"]["name"]
    # As a kubelet would that lets it write its checkpoint.
    hold = [{"op": "add", "path": "/metadata/finalizers/-", "value": "sealyard.test/writes"}]
    kubectl("patch", "pod", name, "--type=json", f"--patch={json.dumps(hold)}")
    run.play_start(pod)
    run.wait_for_phase("Running")

    def suspend(*, wanted: bool) -> None:
        change = json.dumps({"spec": {"suspend": wanted}})
        kubectl("patch", "trainingrun", run.name, "--type=merge", f"--patch={change}")

    suspend(wanted=True)
    run.wait_for_phase("Suspended")
    assert run.condition()["reason"] == "Suspended"
    [job] = run.jobs()
    assert "deletionTimestamp" in job["metadata"]
    # It is wanted back sooner than the pod has ended.
    suspend(wanted=False)
    run.wait_for_phase("Pending")
    assert len(run.jobs()) == 1
    kubectl("patch", "pod", name, "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    again = run.wait_for_pod(attempt=2)
    run.play_start(again)
    run.play_end(again)
    status = run.wait_for_phase("Succeeded")
    assert (status["attempts"], status["tasks"][0].get("failures", 0)) == (2, 0)
    assert errors(operator) == []


def test_a_job_that_vanished_while_the_operator_was_away_is_missed(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    run = apply(kubectl)
    run.wait_for_pod()
    [job] = run.jobs()
    operator.end(signal.SIGTERM)
    kubectl("delete", "job", job["metadata"]["name"])
    operator.start()
    run.wait_for_pod(attempt=2)


def test_a_restart_writes_nothing(operator: OperatorProcess, kubectl: Kubectl) -> None:
    run = apply(kubectl)
    run.play_start(run.wait_for_pod())
    run.wait_for_phase("Running")
    before = run.object["metadata"]["resourceVersion"]
    assert operator.end(signal.SIGTERM) == 0
    operator.start()
    kubectl.apply(run_manifest("later"))
    Run(kubectl, "later").wait_for_pod()
    assert run.object["metadata"]["resourceVersion"] == before


def test_writers_beside_it_do_no_harm(operator: OperatorProcess, kubectl: Kubectl) -> None:
    run = apply(kubectl, claims=False)
    run.wait_for_reason("ClaimMissing")
    stop = threading.Event()

    def annoy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            kubectl("annotate", "--overwrite", "trainingrun", "coins", f"example.test/n={number}")

    annoying = threading.Thread(target=annoy)
    annoying.start()
    try:
        kubectl.apply(*CLAIMS)
        pod = run.wait_for_pod()
        run.play_start(pod)
        run.wait_for_phase("Running")
        run.play_end(pod)
        status = run.wait_for_phase("Succeeded")
    finally:
        stop.set()
        annoying.join()
    assert status["attempts"] == 1
    assert int(run.object["metadata"]["annotations"]["example.test/n"]) > 1
    assert errors(operator) == [], "a conflict is no error"


def test_two_operators_at_once_do_the_work_of_one(
    operator: OperatorProcess, kubectl: Kubectl, kubeconfig: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    with (
        OperatorProcess(folder, kubeconfig, kubectl.namespace) as second,
        kubectl.changes(RUNS, JOBS) as seen,
    ):
        kubectl.apply(*CLAIMS, *(run_manifest(f"run-{number}") for number in range(2)))
        runs = [Run(kubectl, f"run-{number}") for number in range(2)]
        pods = [run.wait_for_pod() for run in runs]
        for run, pod in zip(runs, pods, strict=True):
            run.play_start(pod)
        for run, pod in zip(runs, pods, strict=True):
            run.wait_for_phase("Running")
            run.play_end(pod)
        for run in runs:
            assert run.wait_for_phase("Succeeded")["attempts"] == 1
        versions = [run.object["metadata"]["resourceVersion"] for run in runs]
        # What both do next comes after whatever the ends above made them do.
        apply(kubectl, "later", claims=False).wait_for_pod()
        assert [run.object["metadata"]["resourceVersion"] for run in runs] == versions
        writes = [wait_for(partial(lambda run: writes_to(run, seen()), run)) for run in runs]
        print(f"{writes} writes in their lives")  # noqa: T201 - a figure to report
        # Of two writes of the same version one is refused, so that they are as few as one's.
        assert max(writes) <= WRITES_IN_A_LIFE
        made = [
            event["object"]["metadata"]["ownerReferences"][0]["name"]
            for event in seen()
            if event["type"] == "ADDED" and event["object"]["kind"] == "Job"
        ]
        assert sorted(made) == ["later", *(run.name for run in runs)]
        for one in (operator, second):
            assert errors(one) == []
            assert one.end(signal.SIGTERM) == 0


def test_a_name_that_somebody_else_took(operator: OperatorProcess, kubectl: Kubectl) -> None:
    run = apply(kubectl, claims=False)
    run.wait_for_reason("ClaimMissing")
    uid = run.object["metadata"]["uid"]
    name = job_name("coins", uid, "train", "", 1)
    container = {"name": "main", "image": "x"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    kubectl.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"suspend": True, "template": template},
        }
    )
    kubectl.apply(*CLAIMS)
    stalled = run.wait_for_reason("NameTaken", "Stalled")
    assert name in stalled["message"]
    assert "attempts" not in run.status


def test_a_run_that_is_deleted_takes_its_jobs_along(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    run = apply(kubectl)
    run.wait_for_pod()
    kubectl("delete", "trainingrun", "coins", "--timeout=120s")
    wait_for(lambda: not kubectl.get("jobs")["items"], what="the end of the Job")
    assert errors(operator) == []


def test_a_quota_is_told_as_an_event_and_lifting_it_is_enough(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl("create", "quota", "none", "--hard=count/jobs.batch=0")
    wait_for(lambda: kubectl.get("quota", "none").get("status", {}).get("hard"))
    run = apply(kubectl)

    def told() -> bool:
        events = kubectl.get("events", "", "--field-selector=reason=Retrying")["items"]
        return any("exceeded quota" in event["message"] for event in events)

    wait_for(told, what="the event")
    kubectl("delete", "quota", "none")
    run.wait_for_pod()


def test_the_token_is_in_no_log(
    operator: OperatorProcess, kubectl: Kubectl, kubeconfig: Path
) -> None:
    apply(kubectl).wait_for_pod()
    token = kubeconfig.read_text().split("token: ")[1].split()[0]
    assert len(token) > 100
    assert token not in operator.log
    assert operator.asked("/healthz") == 200


def test_a_sigterm_ends_it_in_order(operator: OperatorProcess) -> None:
    assert operator.end(signal.SIGTERM) == 0
    assert "stopped" in operator.log.splitlines()[-1]
