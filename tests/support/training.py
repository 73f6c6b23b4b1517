"""A TrainingRun on a real API server, whose pod's life the test itself plays.

The claims are of a storage class that nobody provides, so no scheduler ever places the pod, and no
kubelet contradicts the status that the test gives it.
"""

from __future__ import annotations

import json
from typing import Any

from sealyard.api.answers import Answer, TrainResult
from sealyard.api.dataset import DatasetStatus
from sealyard.api.kind import API_VERSION
from sealyard.api.training_run import Artifact, Metrics
from support.operator import Kubectl, wait_for


def run_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """A run that names the claims `data` and `work`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {
            "model": {"architecture": "yolo11n.yaml"},
            "dataset": {"persistentVolumeClaim": {"claimName": "data"}},
            "workspace": {"persistentVolumeClaim": {"claimName": "work"}},
            "hyperparameters": {"epochs": 16},
            **spec,
        },
    }


def claim_manifest(name: str, mode: str = "ReadWriteMany") -> dict[str, Any]:
    """A claim that exists and is never bound."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": "sealyard-test-never",
            "accessModes": [mode],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


CLAIMS = (claim_manifest("data"), claim_manifest("work"))

RESULT = TrainResult(
    epochs=16,
    metrics=Metrics(map50=0.98, map50_95=0.81),
    dataset=DatasetStatus(digest="a" * 64, images=200),
    artifacts=[Artifact(name="best.pt", path="run/best.pt", sha256="b" * 64, size_bytes=1000)],
)


class Run:
    """A TrainingRun and what became of it.

    Args:
        kubectl: the namespace that it lies in.
        name: its name.
    """

    def __init__(self, kubectl: Kubectl, name: str) -> None:
        self.kubectl = kubectl
        self.name = name

    @property
    def object(self) -> dict[str, Any]:
        """The run as it is now."""
        return self.kubectl.get("trainingrun", self.name)

    @property
    def status(self) -> dict[str, Any]:
        """Its status, empty while it has none."""
        status: dict[str, Any] = self.object.get("status") or {}
        return status

    def condition(self, kind: str = "Ready") -> dict[str, Any]:
        """One of its conditions, empty while there is none."""
        conditions = self.status.get("conditions", [])
        return next((one for one in conditions if one["type"] == kind), {})

    def wait_for_reason(self, reason: str, kind: str = "Ready") -> dict[str, Any]:
        """The condition, once it has this reason."""

        def look() -> dict[str, Any] | None:
            found = self.condition(kind)
            return found if found.get("reason") == reason else None

        return wait_for(look, what=f"{self.name}: {reason}")

    def wait_for_message(self, part: str) -> str:
        """What Ready says, once this is a part of it."""

        def look() -> str | None:
            said = str(self.condition().get("message", ""))
            return said if part in said else None

        return wait_for(look, what=f"{self.name}: {part}")

    def wait_for_phase(self, phase: str) -> dict[str, Any]:
        """The status, once it is of this phase."""

        def look() -> dict[str, Any] | None:
            status = self.status
            return status if status.get("phase") == phase else None

        return wait_for(look, what=f"{self.name}: {phase}")

    def jobs(self) -> list[dict[str, Any]]:
        """Its Jobs."""
        uid = self.object["metadata"]["uid"]
        found = self.kubectl.get("jobs", "", f"--selector=sealyard.io/owner-uid={uid}")
        jobs: list[dict[str, Any]] = found["items"]
        return jobs

    def wait_for_pod(self, attempt: int = 1) -> dict[str, Any]:
        """The pod of an attempt, once the status names its Job."""

        def look() -> dict[str, Any] | None:
            # One look: between two of them the status may go on to the next attempt.
            status = self.status
            reference = status.get("jobRef")
            if not reference or status.get("attempts") != attempt:
                return None
            selector = f"--selector=batch.kubernetes.io/controller-uid={reference['uid']}"
            return next(iter(self.kubectl.get("pods", "", selector)["items"]), None)

        return wait_for(look, what=f"the pod of attempt {attempt} of {self.name}")

    def play(self, pod: dict[str, Any], phase: str, **state: Any) -> None:
        """Give the pod a phase and its container a state."""
        container = {
            "name": "main",
            "image": "trainer",
            "imageID": f"registry.test/trainer@sha256:{'c' * 64}",
            "ready": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        status = {"phase": phase, "containerStatuses": [container]}
        self.kubectl(
            "patch",
            "pod",
            pod["metadata"]["name"],
            "--subresource=status",
            "--type=merge",
            f"--patch={json.dumps({'status': status})}",
        )

    def play_start(self, pod: dict[str, Any]) -> None:
        """The container runs."""
        self.play(pod, "Running", running={"startedAt": "2026-11-23T10:00:00Z"})

    def play_end(self, pod: dict[str, Any], code: int = 0, message: str = "trained") -> None:
        """The container ends; with 0 it leaves a result."""
        result = RESULT.to_wire() if code == 0 else None
        answer = Answer(message=message, result=result).encode().decode()
        phase = "Succeeded" if code == 0 else "Failed"
        self.play(
            pod,
            phase,
            terminated={"exitCode": code, "reason": "x", "message": answer},
        )

    def token(self, pod: dict[str, Any], audience: str = "sealyard", *, bound: bool = True) -> str:
        """A token as the kubelet would mount it into the pod."""
        metadata = pod["metadata"]
        binding = (
            "--bound-object-kind=Pod",
            f"--bound-object-name={metadata['name']}",
            f"--bound-object-uid={metadata['uid']}",
        )
        arguments = ("create", "token", "default", f"--audience={audience}")
        return self.kubectl(*arguments, *(binding if bound else ())).strip()
