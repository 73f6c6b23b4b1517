"""A real router in a pod of its Deployment: from a missing Secret to what `kubectl get` shows."""

from __future__ import annotations

import asyncio

import pytest

from support.filing import a_message, an_image
from support.operator import Kubectl, OperatorProcess, wait_for
from support.rabbitmq import READER, Broker, broker
from support.route_lives import Route
from support.streams import publish

__all__ = ["broker"]

pytestmark = [pytest.mark.cluster, pytest.mark.stores]

STREAM = "trays"
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "annotations"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_what_is_published_is_filed_and_shown(
    operator: OperatorProcess, kubectl: Kubectl, broker: Broker
) -> None:
    broker.create_stream(STREAM)
    kubectl.apply(CLAIM)
    kubectl("create", "configmap", "queue-ca", f"--from-file={broker.ca_path}")
    source = {
        "host": broker.host,
        "port": broker.stream_port,
        "stream": STREAM,
        "credentialsSecretRef": {"name": "queue"},
        "caBundleRef": {"name": "queue-ca"},
    }
    route = Route(
        kubectl,
        "trays",
        source={"rabbitmqStream": source},
        identity={"claim": "Trusted"},
        classes=["coin"],
    )
    missing = route.wait_for_reason("InputMissing")
    assert "Secret queue" in missing["message"]

    roles = ["Validator", "Admin", "Validator", "Operator", "Operator"]
    bodies = [
        a_message(an_image(number), id=f"tray-{number}", role=role)
        for number, role in enumerate(roles)
    ]
    asyncio.run(publish(broker, STREAM, [*bodies, b"poison"]))
    login = {"queue-username": READER, "queue-password": broker.passwords[READER]}
    literals = [f"--from-literal={key}={value}" for key, value in login.items()]
    kubectl("create", "secret", "generic", "queue", *literals)
    name = route.deployment()["metadata"]["name"]
    # It would be started again by itself; this spares the wait.
    kubectl("rollout", "restart", f"deployment/{name}")

    def filed() -> dict[str, int] | None:
        found: dict[str, int] = route.object["status"].get("filing", {})
        return found if found.get("offset") == len(bodies) + 1 else None

    wait_for(filed, what="what was published")
    route.wait_for_reason("Filing")
    [_, line] = kubectl("get", "annotationroutes").splitlines()
    assert line.split()[:5] == ["trays", "True", "3", "2", "1"]
    assert broker.passwords[READER] not in operator.log
    kubectl("delete", "annotationroute", "trays")
    pods = "--selector=sealyard.io/role=route"
    wait_for(lambda: not kubectl.get("pods", "", pods)["items"], what="the router's end")
