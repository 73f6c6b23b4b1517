"""`sealyard report`: a page comes out of a workspace in the cluster, and no pod stays."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard_local.cluster import Cluster
from support.operator import Kubectl
from support.pods import finished, volume_pod
from support.training import run_manifest

pytestmark = pytest.mark.cluster

SEALYARD = Path(sys.executable).with_name("sealyard")
CONTENT = "<!doctype html>" + "coin " * 1000
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "work"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}
SECURITY = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}


def report(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    return subprocess.run(
        [SEALYARD, "report", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def succeed(kubectl: Kubectl, digest: str) -> None:
    """As the operator says that the run has left a report of this digest."""
    artifact: dict[str, Any] = {"name": "report.html", "path": "runs/coins/report.html"}
    artifact |= {"sha256": digest, "sizeBytes": len(CONTENT)}
    compute = {"profile": f"of-{kubectl.namespace}", "gpus": 0}
    compute |= {"cpu": "1", "memory": "1Gi", "sharedMemory": "1Gi"}
    status = {
        "phase": "Succeeded",
        "image": "sealyard/trainer:test",
        "artifacts": [artifact],
        "compute": compute,
    }
    patch = json.dumps({"status": status})
    kubectl("patch", "trainingrun", "coins", "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def profile(crds: None, kubectl: Kubectl) -> Iterator[None]:
    """The profile that the run used."""
    document = {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": f"of-{kubectl.namespace}"},
        "spec": {"pod": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}},
    }
    kubectl.apply(document)
    yield
    kubectl("delete", "computeprofile", f"of-{kubectl.namespace}", "--ignore-not-found")


def test_a_report_is_fetched_and_no_pod_stays(
    profile: None, cluster: Cluster, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    page = tmp_path / "coins.html"
    arguments = ("coins", "--namespace", namespace, "--output", str(page))

    done = report(cluster, *arguments)
    assert done.returncode == 66
    assert done.stderr.startswith(f"sealyard: TrainingRun {namespace}/coins: not found")

    kubectl.apply(CLAIM, run_manifest("coins"))
    write = f"mkdir -p /work/runs/coins && printf '%s' '{CONTENT}' > /work/runs/coins/report.html"
    volume = {"/work": {"persistentVolumeClaim": {"claimName": "work"}}}
    cluster.apply(volume_pod(namespace, write, volume, securityContext=SECURITY))
    finished(cluster, namespace)
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")

    succeed(kubectl, hashlib.sha256(CONTENT.encode()).hexdigest())
    done = report(cluster, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{page}\n", "")
    assert page.read_text() == CONTENT

    kubectl("delete", "computeprofile", f"of-{namespace}")
    done = report(cluster, *arguments)
    assert done.returncode == 0
    assert done.stderr.startswith(f"ComputeProfile of-{namespace}: not found")
    assert done.stderr.endswith("the reading pod goes without its pull secrets\n")

    selector = "--selector=app.kubernetes.io/name=sealyard-report"
    assert kubectl.get("pods", "", selector)["items"] == []
