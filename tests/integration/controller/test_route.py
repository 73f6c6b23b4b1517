"""An AnnotationRoute on a real API server, whose router's life the test itself plays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sealyard.api.answers import Answer
from sealyard.api.kind import API_VERSION
from support.operator import Kubectl, OperatorProcess, wait_for
from support.routes import FIGURES, ROUTE_SPEC
from support.training import claim_manifest

pytestmark = pytest.mark.cluster

FILING = "/v1/filing"


class Route:
    """A route, and what became of it."""

    def __init__(self, kubectl: Kubectl, name: str = "coins") -> None:
        self.kubectl = kubectl
        self.name = name
        self.apply()

    def apply(self, **spec: Any) -> None:
        self.kubectl.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "AnnotationRoute",
                "metadata": {"name": self.name},
                "spec": ROUTE_SPEC | spec,
            }
        )

    @property
    def object(self) -> dict[str, Any]:
        return self.kubectl.get("annotationroute", self.name, "--show-managed-fields")

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    def wait_for_reason(self, reason: str) -> dict[str, Any]:
        """The condition Ready, once it has this reason."""

        def look() -> dict[str, Any] | None:
            conditions = self.object.get("status", {}).get("conditions", [])
            ready = next((one for one in conditions if one["type"] == "Ready"), {})
            return ready if ready.get("reason") == reason else None

        return wait_for(look, what=reason)

    def _owned(self, kind: str) -> list[dict[str, Any]]:
        selector = f"--selector=sealyard.io/owner-uid={self.uid}"
        found: list[dict[str, Any]] = self.kubectl.get(kind, "", selector)["items"]
        return found

    def deployment(self) -> dict[str, Any]:
        return wait_for(lambda: next(iter(self._owned("deployments")), None), what="Deployment")

    def wait_for_pod(self, former: str = "") -> dict[str, Any]:
        """Its only pod, once it is another than the former one."""

        def look() -> dict[str, Any] | None:
            pods = self._owned("pods")
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
        owner = {"namespace": self.kubectl.namespace, "name": self.name, "uid": self.uid}
        return {"route": owner} | FIGURES | figures


def errors(operator: OperatorProcess) -> list[str]:
    return [line for line in operator.log.splitlines() if json.loads(line)["level"] == "error"]


def test_a_whole_life(operator: OperatorProcess, kubectl: Kubectl) -> None:
    route = Route(kubectl)
    missing = route.wait_for_reason("ClaimMissing")
    assert "PersistentVolumeClaim annotations" in missing["message"]
    kubectl.apply(claim_manifest("annotations"))

    pod = route.wait_for_pod()
    deployment = route.deployment()
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    managers = kubectl.get("deployment", deployment["metadata"]["name"], "--show-managed-fields")
    [ours] = [
        entry for entry in managers["metadata"]["managedFields"] if entry["manager"] == "sealyard"
    ]
    assert ours["operation"] == "Apply"

    route.play_start(pod)
    first = route.token(pod)
    assert operator.endpoint.post(route.report(), first, FILING) == 202
    ready = route.wait_for_reason("Filing")
    assert ready["status"] == "True"
    shown = kubectl("get", "annotationroutes", "-o", "wide").splitlines()[1].split()
    assert shown[:8] == ["coins", "True", "40", "12", "2", "3", "1200", "5"]
    fields = {
        entry["manager"]: entry["fieldsV1"].get("f:status", {})
        for entry in route.object["metadata"]["managedFields"]
    }
    assert fields["sealyard-progress"].keys() == {"f:filing", "f:summary"}
    assert not fields["sealyard"].keys() & {"f:filing", "f:summary"}

    more = {"classes": ["coin", "button", "ring"]}
    route.apply(**more)
    second = route.wait_for_pod(former=pod["metadata"]["uid"])
    assert route.deployment()["metadata"]["uid"] == deployment["metadata"]["uid"]
    route.play_start(second)
    assert operator.endpoint.post(route.report(), first, FILING) in {401, 403}
    lost = route.report(problem="BrokerUnavailable", message="connection refused", lost=7)
    assert operator.endpoint.post(lost, route.token(second), FILING) == 202
    away = route.wait_for_reason("RemoteUnavailable")
    assert away["message"] == "the broker does not answer as it should: connection refused"
    alarm = next(
        one for one in route.object["status"]["conditions"] if one["type"] == "MessagesLost"
    )
    assert (alarm["status"], alarm["message"][:29]) == ("True", "the broker deleted 7 messages")

    route.apply(**more, suspend=True)
    route.wait_for_reason("Suspended")
    wait_for(lambda: not route._owned("pods"), what="the end of the pod")
    assert route.deployment()["spec"]["replicas"] == 0
    route.apply(**more)
    route.wait_for_pod()
    uid = route.uid
    kubectl("delete", "annotationroute", "coins")
    selector = f"--selector=sealyard.io/owner-uid={uid}"
    wait_for(
        lambda: not kubectl.get("deployments,pods", "", selector)["items"], what="nothing left"
    )
    assert errors(operator) == []


def test_a_router_that_cannot_begin_says_why(operator: OperatorProcess, kubectl: Kubectl) -> None:
    kubectl.apply(claim_manifest("annotations"))
    route = Route(kubectl)
    pod = route.wait_for_pod()
    said = "Secret queue has no key queue-password"
    ended = {"exitCode": 66, "reason": "Error", "message": Answer(message=said).encode().decode()}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
    route.play(pod, state={"waiting": waiting}, lastState={"terminated": ended})
    assert route.wait_for_reason("InputMissing")["message"] == said
    other = Route(kubectl, "other")
    taken = other.wait_for_reason("StorageTaken")
    assert "the older AnnotationRoute coins" in taken["message"]
    assert other._owned("deployments") == []
    kubectl("delete", "annotationroute", "coins")
    other.wait_for_pod()
    assert errors(operator) == []
