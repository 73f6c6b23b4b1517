"""A run on two nodes: on a cluster that gets JobSet while the operator runs, trained for real.

JobSet's kind is its own, its controller a stand-in (`support/job_sets.py`). The two pods share the
one node of the embedded cluster and its network, train on the CPU and speak through gloo.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.coins import write_coins
from support.job_sets import job_set_controller, published_crd
from support.operator import Cluster, Kubectl, OperatorProcess, wait_for
from support.pods import finished, volume_pod
from support.training import Run, run_manifest

pytestmark = [pytest.mark.cluster, pytest.mark.training, pytest.mark.timeout(1800)]

TRAINING_SECONDS = 900


@pytest.fixture
def crd(cluster: Cluster) -> Iterator[Path]:
    """JobSet's kind, which is not there yet, and is not there afterwards."""
    everywhere = Kubectl(cluster, "default")
    path = published_crd()
    everywhere("delete", "-f", str(path), "--ignore-not-found")
    yield path
    everywhere("delete", "-f", str(path), "--ignore-not-found")


def claim(name: str, mode: str = "ReadWriteMany") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    }


def fill(cluster: Cluster, kubectl: Kubectl, dataset: Path) -> None:
    """Put a dataset into the volume of the claim `data`, which comes with its first pod."""
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    kubectl("create", "-f", "-", text=volume_pod(kubectl.namespace, "true", {"/data": source}))
    finished(cluster, kubectl.namespace)
    volume = kubectl.get("pvc", "data")["spec"]["volumeName"]
    path = kubectl.get("pv", volume)["spec"]["local"]["path"]
    shutil.copytree(dataset, path, dirs_exist_ok=True)


def two_nodes(epochs: int, **spec: Any) -> dict[str, Any]:
    return run_manifest(
        "coins",
        model={"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
        hyperparameters={
            "epochs": epochs,
            "imageSize": 64,
            "batch": 8,
            "optimizer": "AdamW",
            "extra": {"mosaic": 0.0, "nbs": 8},
        },
        compute={"nodes": 2, "cpu": "100m", "memory": "3Gi"},
        **spec,
    )


def test_two_nodes_train_what_one_would(
    cluster: Cluster, operator: OperatorProcess, kubectl: Kubectl, crd: Path, tmp_path: Path
) -> None:
    kubectl.apply(claim("data"), claim("work", "ReadWriteOnce"), two_nodes(3))
    run = Run(kubectl, "coins")
    assert "install it" in run.wait_for_reason("JobSetMissing")["message"]

    kubectl("create", "-f", str(crd))
    assert "ReadWriteOnce" in run.wait_for_reason("ClaimNotShared", "Stalled")["message"]
    kubectl("delete", "pvc", "work", "--wait")
    fill(cluster, kubectl, write_coins(tmp_path, train=32, val=8))
    with job_set_controller(kubectl):
        kubectl.apply(claim("work"))
        run.wait_for_phase("Running")
        [job_set] = kubectl.get("jobsets")["items"]
        assert job_set["metadata"]["uid"] == run.status["jobRef"]["uid"]

        def ended() -> dict[str, Any] | None:
            status = run.status
            return status if status.get("phase") in {"Succeeded", "Failed"} else None

        done = wait_for(ended, TRAINING_SECONDS, "the end of the training", pause=1.0)
    assert done["phase"] == "Succeeded", done
    assert (done["attempts"], done["progress"]["epoch"]) == (1, 3)
    assert done["compute"]["nodes"] == 2
    [end] = [task["lastEnd"] for task in done["tasks"]]
    assert (end["reason"], end["exitCode"]) == ("Done", 0)
