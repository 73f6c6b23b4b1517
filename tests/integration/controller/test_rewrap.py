"""A rewrap by the operator, its Job and the real programs, on a cluster, against a release API."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.digests import job_name
from sealyard.api.kind import API_VERSION
from sealyard.api.mounts import SCRATCH_DIRECTORY
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.sealing.header import EMPTY_SLOT
from sealyard.sealing.keyring import Keyring
from support.operator import Cluster, Kubectl, OperatorProcess, wait_for
from support.rewraps import Rotation
from support.stores import BUCKET, PREFIX, running_stores

pytestmark = [pytest.mark.cluster, pytest.mark.stores]

TARGET = "stores"


@pytest.fixture
def rotation(tmp_path: Path) -> Iterator[Rotation]:
    with running_stores(tmp_path / "stores") as stores:
        yield Rotation(stores, tmp_path / "rotation")


def secret(name: str, values: dict[str, bytes]) -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def keyring_secret(keyring: Keyring) -> dict[str, Any]:
    return secret("keyring", {"keyring.json": keyring.to_json()})


class Target:
    """A ReleaseTarget with its Secrets, and what becomes of it."""

    def __init__(self, kubectl: Kubectl, rotation: Rotation) -> None:
        self.kubectl = kubectl
        self._stores = rotation.stores
        values = rotation.stores.secret_values()
        for purpose in (Purpose.API_PUBLISHER, Purpose.API_VERIFIER):
            keys = dict(zip(SECRET_USES[purpose].keys, values[purpose], strict=True))
            kubectl.apply(secret(purpose.value, keys))
        ca = {"ca.crt": rotation.stores.ca.ca_pem.decode()}
        kubectl.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": ca}
        )

    def ask_for(self, generation: int) -> None:
        kubectl, bundle = self.kubectl, {"name": "ca"}
        kubectl.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "ReleaseTarget",
                "metadata": {"name": TARGET},
                "spec": {
                    "api": {
                        "url": self._stores.api.url,
                        "publisherSecretRef": {"name": "api-publisher"},
                        "verifierSecretRef": {"name": "api-verifier"},
                        "caBundleRef": bundle,
                    },
                    "cdn": {
                        "endpoint": self._stores.cdn.endpoint,
                        "bucket": BUCKET,
                        "prefix": PREFIX,
                        "writeSecretRef": {"name": "cdn-write"},
                        "readSecretRef": {"name": "cdn-read"},
                        "caBundleRef": bundle,
                    },
                    "keyringSecretRef": {"name": "keyring"},
                    "rewrapGeneration": generation,
                },
            }
        )

    @property
    def object(self) -> dict[str, Any]:
        return self.kubectl.get("releasetarget", TARGET)

    def wait_for(self, reason: str, generation: int) -> dict[str, Any]:
        """The status, once it says this of the newest spec, and of this generation's rewrap."""

        def look() -> dict[str, Any] | None:
            found = self.object
            status: dict[str, Any] = found.get("status", {})
            seen = status.get("observedGeneration") == found["metadata"]["generation"]
            ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
            done = status.get("rewrap", {}).get("generation", 0)
            return (
                status if (seen, ready.get("reason"), done) == (True, reason, generation) else None
            )

        return wait_for(look, what=f"{reason} of rewrap {generation}: {self.object.get('status')}")

    def jobs(self) -> list[dict[str, Any]]:
        selector = "--selector=sealyard.io/role=rewrap"
        found: list[dict[str, Any]] = self.kubectl.get("jobs", "", selector)["items"]
        return found


def test_a_rotation_by_the_operator(
    operator: OperatorProcess,
    cluster: Cluster,
    namespace: str,
    kubectl: Kubectl,
    rotation: Rotation,
) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    models = rotation.put(5)
    target = Target(kubectl, rotation)
    kubectl.apply(keyring_secret(rotation.first))
    target.ask_for(0)
    target.wait_for("Configured", 0)
    assert target.jobs() == []

    # The operator is killed as soon as there is a Job, which comes to its end without it.
    kubectl.apply(keyring_secret(rotation.both))
    target.ask_for(1)
    [job] = wait_for(target.jobs, what="the Job")
    operator.end(signal.SIGKILL)
    wait_for(lambda: target.jobs()[0]["status"].get("succeeded"), what="the Job's end")
    operator.start()
    status = target.wait_for("Rewrapped", 1)
    assert len(target.jobs()) == 1
    counts = {
        "key": "cluster-2",
        "releases": 5,
        "rewrapped": 5,
        "unchanged": 0,
        "skipped": 0,
        "generation": 1,
    }
    assert {k: v for k, v in status["rewrap"].items() if k != "completedAt"} == counts
    assert [(task["name"], task["done"]) for task in status["tasks"]] == [("rewrap-1", True)]
    assert {rotation.small(model)[224:] == EMPTY_SLOT for model in models} == {False}
    _check(job, target.object["metadata"]["uid"])

    # Nothing starts it again: not its Job's deletion, not another look, not an older value.
    kubectl("delete", "job", job["metadata"]["name"])
    operator.end(signal.SIGTERM)
    operator.start()
    lowered = kubectl.run(
        "patch", "releasetarget", TARGET, "--type=merge", '--patch={"spec":{"rewrapGeneration":0}}'
    )
    assert "may only grow: each new value asks for one more rewrap" in lowered.stderr
    kubectl("annotate", "releasetarget", TARGET, "sealyard.io/requestedAt=2026-11-24T00:00:00Z")

    # The old key is retired, and a Secret comes late.
    kubectl("delete", "secret", "keyring")
    target.ask_for(2)
    status = target.wait_for("InputMissing", 1)
    assert [task["name"] for task in status["tasks"]] == ["rewrap-2"]
    kubectl.apply(keyring_secret(rotation.second))
    status = target.wait_for("Rewrapped", 2)
    assert (status["rewrap"]["rewrapped"], status["rewrap"]["unchanged"]) == (5, 0)
    assert {rotation.small(model)[128:224] for model in models} == {EMPTY_SLOT}
    attempts = {job["metadata"]["labels"]["sealyard.io/attempt"] for job in target.jobs()}
    assert {"1", "2"} <= attempts
    assert {job["metadata"]["labels"]["sealyard.io/variant"] for job in target.jobs()} == {"2"}

    def reasons() -> set[str]:
        return {
            event["reason"]
            for event in kubectl.get("events")["items"]
            if event["involvedObject"]["kind"] == "ReleaseTarget"
        }

    # They go out after the status.
    wanted = {"Configured", "Rewrapping", "Rewrapped", "InputMissing"}
    wait_for(lambda: wanted <= reasons(), what="the events")
    lines = [json.loads(line) for line in operator.log.splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
    assert "REWRAPPED" in kubectl("get", "releasetargets", "-o", "wide")


def _check(job: dict[str, Any], uid: str) -> None:
    """The Job as the API server keeps it."""
    metadata, pod = job["metadata"], job["spec"]["template"]["spec"]
    assert metadata["name"] == job_name(TARGET, uid, "rewrap", "1", 1)
    assert [(o["kind"], o["uid"]) for o in metadata["ownerReferences"]] == [("ReleaseTarget", uid)]
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    [container] = pod["containers"]
    assert container["command"] == ["sealyard-courier"]
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == {
        "secret-api-verifier": "/run/sealyard/secrets/api-verifier",
        "secret-api-publisher": "/run/sealyard/secrets/api-publisher",
        "secret-keyring": "/run/sealyard/secrets/keyring",
        "ca-api": "/run/sealyard/ca/api",
        "scratch": SCRATCH_DIRECTORY,
    }
