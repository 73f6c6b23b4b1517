"""What users do with kubectl, and what Jobs rely on: all of it Kubernetes' own behaviour."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
from typing import Any

import pytest

from sealyard_local.cluster import Cluster, KubectlError
from support.embedded_cluster import until
from support.pods import finished, job, pod, volume_pod, wait_for_job

pytestmark = pytest.mark.cluster


def read(cluster: Cluster, namespace: str, *what: str) -> Any:
    return json.loads(cluster.kubectl("get", "-n", namespace, *what, "-o", "json"))


def test_a_job_runs_and_kubectl_shows_it(cluster: Cluster, namespace: str) -> None:
    cluster.apply(job(namespace, "echo from the job; echo done > /dev/termination-log"))
    assert wait_for_job(cluster, namespace) == "Complete"
    found = read(cluster, namespace, "pods", "-l", "job-name=task")["items"][0]
    status = found["status"]["containerStatuses"][0]
    assert status["state"]["terminated"]["message"] == "done\n"
    assert status["imageID"].startswith("sealyard/test@sha256:")
    assert cluster.kubectl("logs", "-n", namespace, "job/task") == "from the job\n"
    described = cluster.kubectl("describe", "-n", namespace, "job/task")
    assert "Completed" in described
    assert "SuccessfulCreate" in described
    cluster.kubectl("delete", "-n", namespace, "job/task")
    assert not read(cluster, namespace, "pods")["items"]


def test_exit_64_fails_the_job_at_once(cluster: Cluster, namespace: str) -> None:
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [64, 65]}}]
    cluster.apply(job(namespace, "exit 64", backoffLimit=6, podFailurePolicy={"rules": rules}))
    assert wait_for_job(cluster, namespace) == "Failed"
    status = read(cluster, namespace, "job/task")["status"]
    reasons = {c["type"]: c["reason"] for c in status["conditions"]}
    assert reasons["Failed"] == "PodFailurePolicy"
    assert status["failed"] == 1


def test_a_secret_and_a_missing_one_are_mounted(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl(
        "create", "secret", "generic", "login", "-n", namespace, "--from-literal=user=ada",
        "--from-literal=password=lovelace",
    )  # fmt: skip
    items = [{"key": "user", "path": "who"}]
    cluster.apply(
        volume_pod(
            namespace,
            "cat /login/who; ls /login /absent",
            {
                "/login": {"secret": {"secretName": "login", "items": items}},
                "/absent": {"secret": {"secretName": "nobody", "optional": True}},
            },
        )
    )
    assert finished(cluster, namespace) == "ada/absent:\n\n/login:\nwho\n"


def test_a_projected_token_has_its_audience(cluster: Cluster, namespace: str) -> None:
    token = {"serviceAccountToken": {"audience": "sealyard", "path": "token"}}
    cluster.apply(
        volume_pod(namespace, "cat /t/token", {"/t": {"projected": {"sources": [token]}}})
    )
    claims = finished(cluster, namespace).split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["aud"] == ["sealyard"]
    assert decoded["sub"] == f"system:serviceaccount:{namespace}:default"


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteMany"])
def test_a_claim_gets_a_volume_of_its_group(cluster: Cluster, namespace: str, mode: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    }
    cluster.apply(json.dumps(claim))
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    security = {"runAsUser": 1234, "runAsGroup": 1234, "fsGroup": 4321}
    write = "echo kept > /data/file; stat -c %g /data"
    cluster.apply(volume_pod(namespace, write, {"/data": source}, securityContext=security))
    assert finished(cluster, namespace) == "4321\n"
    cluster.apply(volume_pod(namespace, "cat /data/file", {"/data": source}, name="reader"))
    assert finished(cluster, namespace, "reader") == "kept\n"
    volume = read(cluster, namespace, "pvc/data")["spec"]["volumeName"]
    folder = cluster.directory / "volumes" / volume
    assert folder.is_dir()
    cluster.kubectl("delete", "-n", namespace, "pod/task", "pod/reader", "pvc/data")
    until(lambda: not folder.exists(), what="the reclaimed volume's folder to go")


def test_a_pod_reaches_the_api_server_as_itself(cluster: Cluster, namespace: str) -> None:
    script = (
        "from kubernetes import client, config; config.load_incluster_config();"
        "r = client.AuthenticationV1Api().create_self_subject_review("
        "client.V1SelfSubjectReview()); print(r.status.user_info.username)"
    )
    cluster.apply(pod(namespace, ["python", "-c", script]))
    assert finished(cluster, namespace) == f"system:serviceaccount:{namespace}:default\n"


def test_exec_runs_as_the_container_does(cluster: Cluster, namespace: str) -> None:
    security = {"runAsUser": 4242, "runAsGroup": 4243, "supplementalGroups": [4244]}
    cluster.apply(pod(namespace, ["sleep", "100"], securityContext=security))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/task", "--timeout=120s")
    run = ("exec", "-n", namespace, "-i", "task", "--", "sh", "-c")
    shown = cluster.kubectl(*run, "cat; id -u; id -G; grep CapEff /proc/self/status", input="in\n")
    assert shown == "in\n4242\n4243 4244\nCapEff:\t0000000000000000\n"
    with pytest.raises(KubectlError, match="exit code 7"):
        cluster.kubectl(*run, "exit 7")


def test_probes_and_grace_are_kept(cluster: Cluster, namespace: str) -> None:
    script = "trap 'echo asked; exit 3' TERM; touch /tmp/ready; while :; do sleep 0.1; done"
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}  # noqa: S108 - the container's
    cluster.apply(pod(namespace, ["sh", "-c", script], container={"readinessProbe": probe}))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/task", "--timeout=120s")
    follow = [str(cluster.binary), "kubectl", "logs", "-f", "-n", namespace, "task"]
    with subprocess.Popen(follow, env=cluster.environment(), stdout=subprocess.PIPE) as following:
        cluster.kubectl("delete", "-n", namespace, "pod/task", "--grace-period=20", "--wait=false")
        said, _ = following.communicate(timeout=120)
    assert said.startswith(b"asked\n")


def test_a_command_that_is_not_there_says_so(cluster: Cluster, namespace: str) -> None:
    cluster.apply(pod(namespace, ["sealyard-nothing"]))

    def terminated() -> Any:
        statuses = read(cluster, namespace, "pod/task")["status"].get("containerStatuses", [{}])
        return statuses[0].get("state", {}).get("terminated")

    ended = until(terminated, what="the container to fail")
    assert (ended["exitCode"], ended["reason"]) == (127, "StartError")
    assert '"sealyard-nothing": executable file not found in $PATH' in ended["message"]


def test_a_terminal_is_one(cluster: Cluster, namespace: str) -> None:
    """`kubectl exec -it`, through a terminal of ours."""
    cluster.apply(pod(namespace, ["sleep", "100"]))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/task", "--timeout=120s")
    command = [str(cluster.binary), "kubectl", "exec", "-it", "-n", namespace, "task", "--", "tty"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, env=cluster.environment(), stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as terminal:
            assert terminal.readline().strip() == b"/dev/pts/0"
    assert process.returncode == 0
