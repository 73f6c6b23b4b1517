"""The grant and index Jobs of a target on a real API server, whose pods' lives the test plays.

A pod asks for more disk than there is, so no scheduler ever places it, and no kubelet contradicts
the status that the test gives it.
"""

from __future__ import annotations

import json
from typing import Any

from sealyard.api.answers import Answer
from sealyard.api.kind import API_VERSION
from support.fleet_builders import manifest_of
from support.operator import Kubectl, wait_for
from support.specs import RELEASE_SPEC, TARGET_SPEC, TRUST

EXPIRES = "2100-01-01T00:00:00Z"
NEVER_SCHEDULED = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "never-scheduled"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "default": {"ephemeral-storage": "1Pi"},
                "defaultRequest": {"ephemeral-storage": "1Pi"},
            }
        ]
    },
}
TARGET = {
    "apiVersion": API_VERSION,
    "kind": "ReleaseTarget",
    "metadata": {"name": "stores"},
    "spec": {**TARGET_SPEC, "trust": TRUST, "probeIntervalSeconds": 0},
}


class Fleet:
    """A target with trust, what follows it, and the Jobs that come of it.

    Args:
        kubectl: the namespace that it lies in.
    """

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self._ended: set[str] = set()
        kubectl.apply(NEVER_SCHEDULED, TARGET)

    def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Apply an object of ours."""
        self.kubectl.apply(
            {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        )

    def verify(self, version: str, **spec: Any) -> None:
        """A release that has just been proven to open."""
        done = {"started": 1, "done": True}
        status = {
            "phase": "Verifying",
            "manifestSha256": manifest_of(version),
            "tasks": [{"name": name, **done} for name in ("export-onnx-fp32", "publish", "verify")],
        }
        self.apply("ModelRelease", version, {**RELEASE_SPEC, "version": version, **spec})
        patch = f"--patch={json.dumps({'status': status})}"
        self.kubectl("patch", "mrel", version, "--subresource=status", "--type=merge", patch)

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """The status of an object, empty while it has none."""
        status: dict[str, Any] = self.kubectl.get(kind, name).get("status") or {}
        return status

    def wait(self, kind: str, name: str, **fields: Any) -> dict[str, Any]:
        """The status of an object, once it has these fields.

        The field `reason` is that of its condition Ready.
        """

        def look() -> dict[str, Any] | None:
            status = self.status(kind, name)
            conditions = {one["type"]: one for one in status.get("conditions", [])}
            seen = {**status, "reason": conditions.get("Ready", {}).get("reason")}
            return seen if all(seen.get(key) == value for key, value in fields.items()) else None

        try:
            return wait_for(look, what=f"{kind} {name}: {fields}")
        except AssertionError as error:
            error.add_note(self.kubectl("get", f"{kind}/{name}", "-o", "yaml"))
            raise

    def next_job(self, role: str) -> dict[str, Any]:
        """The next Job of a role, once it is there."""

        def look() -> dict[str, Any] | None:
            found = self.kubectl.get("jobs", "", f"--selector=sealyard.io/role={role}")["items"]
            return next((one for one in found if one["metadata"]["uid"] not in self._ended), None)

        return wait_for(look, what=f"a Job that does {role}")

    def input_of(self, job: dict[str, Any]) -> dict[str, Any]:
        """What a Job's pod waits for, once all of it is there."""
        [volume] = [
            one for one in job["spec"]["template"]["spec"]["volumes"] if one["name"] == "input"
        ]
        names = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
        wait_for(
            lambda: self.kubectl.run("get", "configmap", *names).returncode == 0, what=str(names)
        )
        maps = [self.kubectl.get("configmap", name) for name in names]
        for one in maps:
            [owner] = one["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Job", job["metadata"]["uid"])
            assert one["immutable"] is True
        document: dict[str, Any] = json.loads("".join(t for m in maps for t in m["data"].values()))
        return document

    def do(self, role: str) -> dict[str, Any]:
        """Let the next Job of a role succeed. Gives what it was given."""
        job = self.next_job(role)
        document = self.input_of(job)
        environment = job["spec"]["template"]["spec"]["containers"][0]["env"]
        task = json.loads(next(e["value"] for e in environment if e["name"] == "SEALYARD_TASK"))
        if role == "grant":
            result = {"devices": len(document.get("devices", [])), "granted": 1, "unchanged": 0}
        else:
            result = {"version": len(self._ended) + 1, "expires": EXPIRES, "changed": True}
            result |= {"releases": 0, "channels": 0}
        self._end(job, {"inputSha256": task["inputSha256"], **result})
        return document

    def _end(self, job: dict[str, Any], result: dict[str, Any]) -> None:
        uid = job["metadata"]["uid"]
        selector = f"--selector=batch.kubernetes.io/controller-uid={uid}"
        pod = wait_for(
            lambda: next(iter(self.kubectl.get("pods", "", selector)["items"]), None),
            what="its pod",
        )
        message = Answer(message="done", result=result).encode().decode()
        container = {
            "name": "main",
            "image": "courier",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "message": message}},
        }
        status = {"phase": "Succeeded", "containerStatuses": [container]}
        self.kubectl(
            "patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge",
            f"--patch={json.dumps({'status': status})}",
        )  # fmt: skip
        self._ended.add(uid)
