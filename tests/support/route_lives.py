"""An AnnotationRoute on a real API server. Its router's life a test may play itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sealyard.api.kind import API_VERSION
from support.operator import Kubectl, wait_for
from support.routes import FIGURES, ROUTE_SPEC


class Route:
    """A route, and what became of it.

    Args:
        kubectl: the namespace that it lies in.
        name: its name.
        spec: what is in it beside the usual.
    """

    def __init__(self, kubectl: Kubectl, name: str = "coins", **spec: Any) -> None:
        self.kubectl = kubectl
        self.name = name
        self._spec = ROUTE_SPEC | spec
        self.apply()

    def apply(self, **spec: Any) -> None:
        """Apply it, with these fields in the place of its own."""
        self.kubectl.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "AnnotationRoute",
                "metadata": {"name": self.name},
                "spec": self._spec | spec,
            }
        )

    @property
    def object(self) -> dict[str, Any]:
        """As it is now."""
        return self.kubectl.get("annotationroute", self.name, "--show-managed-fields")

    @property
    def uid(self) -> str:
        """Its own."""
        return str(self.object["metadata"]["uid"])

    def wait_for_reason(self, reason: str) -> dict[str, Any]:
        """The condition Ready, once it has this reason."""

        def look() -> dict[str, Any] | None:
            conditions = self.object.get("status", {}).get("conditions", [])
            ready = next((one for one in conditions if one["type"] == "Ready"), {})
            return ready if ready.get("reason") == reason else None

        return wait_for(look, what=reason)

    def owned(self, kind: str) -> list[dict[str, Any]]:
        """What carries its label."""
        selector = f"--selector=sealyard.io/owner-uid={self.uid}"
        found: list[dict[str, Any]] = self.kubectl.get(kind, "", selector)["items"]
        return found

    def deployment(self) -> dict[str, Any]:
        """Its Deployment, once there is one."""
        return wait_for(lambda: next(iter(self.owned("deployments")), None), what="Deployment")

    def wait_for_pod(self, former: str = "") -> dict[str, Any]:
        """Its only pod, once it is another than the former one."""

        def look() -> dict[str, Any] | None:
            pods = self.owned("pods")
            is_new = len(pods) == 1 and pods[0]["metadata"]["uid"] != former
            return pods[0] if is_new else None

        return wait_for(look, what="the pod")

    def play(self, pod: dict[str, Any], **container: Any) -> None:
        """Give the pod's container a state. Nothing schedules it, for its claim is never bound."""
        main = {"name": "main", "image": "router", "imageID": "", "restartCount": 0}
        status = {
            "phase": "Running",
            "containerStatuses": [main | {"ready": False} | container],
        }
        self.kubectl(
            "patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge",
            f"--patch={json.dumps({'status': status})}",
        )  # fmt: skip

    def play_start(self, pod: dict[str, Any]) -> None:
        """The router runs."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.play(pod, ready=True, state={"running": {"startedAt": now}})

    def token(self, pod: dict[str, Any]) -> str:
        """As the kubelet would mount it."""
        metadata = pod["metadata"]
        return self.kubectl(
            "create", "token", "default", "--audience=sealyard", "--bound-object-kind=Pod",
            f"--bound-object-name={metadata['name']}", f"--bound-object-uid={metadata['uid']}",
        ).strip()  # fmt: skip

    def report(self, **figures: Any) -> dict[str, Any]:
        """What its router posts."""
        owner = {"namespace": self.kubectl.namespace, "name": self.name, "uid": self.uid}
        return {"route": owner} | FIGURES | figures
