"""A training whose pod the platform takes away: by the eviction API, and by draining its node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.operator import wait_for
from support.whole import Whole

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.stores,
    pytest.mark.training,
    pytest.mark.timeout(2400),
]

NAME = "disrupted"


def test_an_eviction_and_a_drained_node_lose_one_epoch_at_most(whole: Whole) -> None:
    whole.wait_until_ready("trainingrun", "coins")
    whole.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": NAME},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        {
            "apiVersion": "sealyard.io/v1alpha1",
            "kind": "TrainingRun",
            "metadata": {"name": NAME},
            "spec": {
                "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
                "dataset": {"persistentVolumeClaim": {"claimName": "dataset", "path": "coins"}},
                # Enough that it still trains once progress, told every 10 s, was seen twice.
                "hyperparameters": {"epochs": 80, "imageSize": 64, "extra": {"mosaic": 0.0}},
                "compute": {"cpu": "500m", "memory": "3Gi"},
                "workspace": {"persistentVolumeClaim": {"claimName": NAME}},
            },
        },
    )

    first = _pod(whole, 2)
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": first["metadata"]["name"], "namespace": whole.kubectl.namespace},
    }
    path = f"/api/v1/namespaces/{whole.kubectl.namespace}/pods/{first['metadata']['name']}/eviction"
    evicted_at = _epoch(whole)
    whole.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))

    second = _pod(whole, evicted_at + 1, unlike=first)
    node = second["spec"]["nodeName"]
    drained_at = _epoch(whole)
    try:
        whole.kubectl(
            "drain", node, f"--pod-selector={_selector(whole)}", "--ignore-daemonsets",
            "--delete-emptydir-data", "--force",
        )  # fmt: skip
    finally:
        whole.kubectl("uncordon", node)

    third = _pod(whole, drained_at + 1, unlike=second)
    owners = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in (first, second, third)}
    assert len(owners) == 1, "Kubernetes gives the same Job another pod"
    run = whole.wait_until_ready("trainingrun", NAME)
    assert run["attempts"] == 1
    assert run["tasks"][0].get("failures", 0) == 0
    # What was shown had been trained, and the checkpoint is at most one epoch older.
    assert run["resumedFromEpoch"] >= drained_at - 1
    assert run["progress"]["epoch"] == 80


def _pod(whole: Whole, epoch: int, unlike: dict[str, Any] | None = None) -> dict[str, Any]:
    """The pod that trains once this epoch is known to be done; not one that was there before."""
    before = unlike["metadata"]["uid"] if unlike else ""

    def look() -> dict[str, Any] | None:
        pods = whole.kubectl.get("pods", "", "-l", _selector(whole))["items"]
        running = [
            pod
            for pod in pods
            if pod["metadata"]["uid"] != before
            and pod["status"]["phase"] == "Running"
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return running[0] if running and _epoch(whole) >= epoch else None

    return wait_for(look, 300, f"epoch {epoch} in a pod of its own", pause=0.5)


def _epoch(whole: Whole) -> int:
    return int(whole.status("trainingrun", NAME).get("progress", {}).get("epoch", 0))


def _selector(whole: Whole) -> str:
    uid = whole.kubectl.get("trainingrun", NAME)["metadata"]["uid"]
    return f"sealyard.io/owner-uid={uid},sealyard.io/role=train"
