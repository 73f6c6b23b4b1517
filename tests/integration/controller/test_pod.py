"""The operator as a pod of the embedded cluster, installed by its chart as a user would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

from support.operator import (
    CHART,
    Cluster,
    Endpoint,
    Kubectl,
    chart_values,
    installed_chart,
    wait_for,
)
from support.training import CLAIMS, Run, claim_manifest, run_manifest

pytestmark = pytest.mark.cluster


def operator_pod(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """The running pod of the operator."""

    def look() -> dict[str, Any] | None:
        pods = kubectl.get("pods", "", f"--selector=app.kubernetes.io/instance={name}")["items"]
        ready = [
            pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in pod["status"].get("conditions", [])
            )
        ]
        return ready[0] if ready else None

    return wait_for(look, what="the operator's pod")


def test_the_chart_alone_makes_a_working_operator(
    crds: None, cluster: Cluster, namespace: str, kubectl: Kubectl
) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    with installed_chart(cluster, namespace, chart_values(namespace)) as name:
        pod = operator_pod(kubectl, name)
        kubectl.apply(run_manifest("bad", model={"architecture": "yolo99n.yaml"}))
        Run(kubectl, "bad").wait_for_reason("InvalidSpec", "Stalled")

        kubectl.apply(run_manifest("coins"))
        run = Run(kubectl, "coins")
        run.wait_for_reason("ClaimMissing")
        kubectl.apply(*CLAIMS)
        run.play_start(run.wait_for_pod())
        run.wait_for_phase("Running")

        kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
        second = operator_pod(kubectl, name)
        assert second["metadata"]["uid"] != pod["metadata"]["uid"]
        kubectl.apply(run_manifest("later", workspace=claim_of("missing")))
        Run(kubectl, "later").wait_for_reason("ClaimMissing")
        kubectl.apply(claim_manifest("missing"))
        Run(kubectl, "later").wait_for_pod()
        assert run.status["attempts"] == 1
        log = kubectl("logs", second["metadata"]["name"])
        assert [line for line in log.splitlines() if json.loads(line)["level"] == "error"] == []


def claim_of(name: str) -> dict[str, Any]:
    return {"persistentVolumeClaim": {"claimName": name}}


def test_the_pod_that_trains_can_report_to_it(
    crds: None, cluster: Cluster, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    """The URL, the CA and the token that a training pod is really given lead to its status."""
    values = chart_values(namespace)
    with installed_chart(cluster, namespace, values):
        kubectl.apply(*CLAIMS, run_manifest("coins"))
        run = Run(kubectl, "coins")
        pod = run.wait_for_pod()
        [container] = pod["spec"]["containers"]
        variables = {one["name"]: one.get("value", "") for one in container["env"]}
        task = json.loads(variables["SEALYARD_TASK"])
        assert task["progress"]["url"] == values["progress"]["url"]
        ca_file = tmp_path / "ca.crt"
        ca_file.write_text(task["progress"]["ca"])
        endpoint = Endpoint(task["progress"]["url"], ca_file)
        report = {"run": task["owner"], "epoch": 1, "epochs": 16, "fraction": 0.1}
        run.play_start(pod)
        run.wait_for_phase("Running")
        assert endpoint.post(report, run.token(pod)) == 202
        wait_for(lambda: run.status.get("progress"), what="the progress")
        assert run.status["summary"]["progress"] == "10 %"


def test_an_upgrade_keeps_the_authority_that_running_jobs_believe(
    crds: None, cluster: Cluster, namespace: str, kubectl: Kubectl
) -> None:
    values = chart_values(namespace)
    with installed_chart(cluster, namespace, values) as name:
        before = kubectl.get("secret", f"{name}-progress-tls")["data"]
        with helm.Config(kubeconfig_path=cluster.kubeconfig, namespace=namespace) as config:
            config.upgrade(CHART, name, values | {"workers": 3})
            assert kubectl.get("secret", f"{name}-progress-tls")["data"] == before
            more = {**values["progress"], "tls": {"ips": ["127.0.0.1", "127.0.0.2"]}}
            config.upgrade(CHART, name, values | {"progress": more})
            assert kubectl.get("secret", f"{name}-progress-tls")["data"] != before
