"""An AnnotationRoute on a real API server, whose router's life the test itself plays."""

from __future__ import annotations

import json

import pytest

from sealyard.api.answers import Answer
from support.operator import Kubectl, OperatorProcess, wait_for
from support.route_lives import Route
from support.training import claim_manifest

pytestmark = pytest.mark.cluster

FILING = "/v1/filing"


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
    wait_for(lambda: not route.owned("pods"), what="the end of the pod")
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
    assert other.owned("deployments") == []
    kubectl("delete", "annotationroute", "coins")
    other.wait_for_pod()
    assert errors(operator) == []
