"""What is done for a route, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sealyard.core.annotation_route import reconcile
from sealyard.core.annotation_route.situation import STALE
from sealyard.core.observed import ObservedPod
from sealyard.core.plan import Plan
from support.builders import SETTINGS, WITH_PROGRESS, at, says
from support.routes import CLAIM, STARTED, a_route, an_end, look, running

ROUTE = a_route()
NAME = ROUTE.deployed().name
WAITING = f"waiting for the pod of Deployment {NAME}"
FILING = "what is published to stream annotations is filed"
OLD = at(-STALE.total_seconds() - 1)


def down(end: int, message: str | None = None, reason: str = "Error", **pod: Any) -> Plan:
    """A router that ended, and that the kubelet is about to start again."""
    state = {"ready": False, "started_at": None, "last_end": an_end(end, message, reason)} | pod
    return running(ROUTE.reported(at(-60)), **state)


def pending(**pod: Any) -> Plan:
    return running(ROUTE, phase="Pending", ready=False, started_at=None, **pod)


CASES: dict[str, tuple[Plan, str, str, str]] = {
    "a class twice": (
        look(a_route().with_spec("classes", ["coin", "coin"]).observed()),
        "FFT",
        "InvalidSpec",
        "spec.classes: coin stands there twice, and labels would name two classes by it",
    ),
    "a role that files to both": (
        look(a_route().with_spec("roles.seed", ["Admin"]).observed()),
        "FFT",
        "InvalidSpec",
        "spec.roles: Admin stands in validated and in seed; it can file to one of them",
    ),
    "a user with two roles": (
        look(
            a_route()
            .with_spec(
                "identity", {"brokerUser": {"roles": [{"user": "ann", "role": "Admin"}] * 2}}
            )
            .observed()
        ),
        "FFT",
        "InvalidSpec",
        "spec.identity.brokerUser.roles: ann stands there twice; a user has one role",
    ),
    "storage of another": (
        look(ROUTE.observed(owner="older")),
        "FFT",
        "StorageTaken",
        (
            "the older AnnotationRoute older files into this storage (spec.storage): delete one of "
            "them, or give this one a folder of its own in a new object"
        ),
    ),
    "suspended": (
        look(ROUTE.with_spec("suspend", True).observed()),
        "FTF",
        "Suspended",
        (
            "suspended; set spec.suspend to false before the stream's retention is over, and it "
            "goes on where it was"
        ),
    ),
    "no claim": (
        look(ROUTE.observed(claims=())),
        "FTF",
        "ClaimMissing",
        (
            "PersistentVolumeClaim annotations (spec.storage.persistentVolumeClaim.claimName) does "
            "not exist in namespace coins: create it, and the route goes on"
        ),
    ),
    "a claim that goes": (
        look(ROUTE.observed(claims=(replace(CLAIM, deleting=True),))),
        "FTF",
        "ClaimMissing",
        (
            "PersistentVolumeClaim annotations (spec.storage.persistentVolumeClaim.claimName) does "
            "not exist in namespace coins: create it, and the route goes on"
        ),
    ),
    "a Deployment of another": (
        look(ROUTE.observed(foreign=(NAME,))),
        "FFT",
        "NameTaken",
        f"Deployment {NAME} belongs to somebody else: delete it, and the route goes on",
    ),
    "new": (look(ROUTE.observed()), "FTF", "Pending", WAITING),
    "no pod yet": (look(ROUTE.observed(deployment=ROUTE.deployed())), "FTF", "Pending", WAITING),
    "no pod to be had": (
        look(ROUTE.observed(deployment=ROUTE.deployed(trouble="exceeded quota: pods"))),
        "FTF",
        "PodNotStarted",
        f"Deployment {NAME} cannot make its pod: exceeded quota: pods",
    ),
    "the former pod": (running(ROUTE, applied="former"), "FTF", "Pending", WAITING),
    "a pod that ends": (running(ROUTE, deleted_by=at(60)), "FTF", "Pending", WAITING),
    "a pod that does not end": (
        running(ROUTE, deleted_by=at(-61)),
        "FTF",
        "NodeLost",
        (
            "node node-1 of pod router does not answer, and nobody knows whether it still writes; "
            "bring the node back, or, if it is shut down for good: kubectl taint nodes node-1 "
            "node.kubernetes.io/out-of-service=shutdown:NoExecute"
        ),
    ),
    "a pod that was just made": (
        pending(created_at=at(-1), waiting_reason="Unschedulable"),
        "FTF",
        "Pending",
        WAITING,
    ),
    "a pod that cannot start": (
        pending(waiting_reason="ImagePullBackOff", waiting_message="no such image"),
        "FTF",
        "PodNotStarted",
        "pod router cannot start: ImagePullBackOff: no such image",
    ),
    "a pod that only takes long": (
        pending(waiting_reason="ContainerCreating"),
        "FTF",
        "Pending",
        WAITING,
    ),
    "bad input": (down(64, "the task is wrong"), "FFT", "InvalidInput", "the task is wrong"),
    "another stream": (
        down(65, "stream annotations begins anew: it was replaced"),
        "FFT",
        "IntegrityFailed",
        "stream annotations begins anew: it was replaced",
    ),
    "a Secret is missing": (
        down(66, "Secret queue has no key queue-password"),
        "FTF",
        "InputMissing",
        "Secret queue has no key queue-password",
    ),
    "the broker is away": (
        down(69, "rabbitmq.queues.svc:5551 does not answer"),
        "FTF",
        "RemoteUnavailable",
        "rabbitmq.queues.svc:5551 does not answer",
    ),
    "the broker refuses": (
        down(77, "the broker refused the login in Secret queue"),
        "FTF",
        "CredentialsRefused",
        "the broker refused the login in Secret queue",
    ),
    "the former container's words, while the next begins": (
        down(66, "Secret queue is missing", started_at=at(-1)),
        "FTF",
        "InputMissing",
        "Secret queue is missing",
    ),
    "a fault": (
        down(70, "unexpected KeyError; the pod's log has the traceback"),
        "FTF",
        "Retrying",
        (
            "the router in pod router ended with exit code 70: unexpected KeyError; the pod's log "
            "has the traceback; it is started again"
        ),
    ),
    "a code without a word": (
        down(66),
        "FTF",
        "Retrying",
        "the router in pod router ended with exit code 66; it is started again",
    ),
    "out of memory": (
        down(137, reason="OOMKilled"),
        "FTF",
        "Retrying",
        (
            "the router in pod router ran out of memory, of which it has the more, the larger "
            "spec.maxPictureBytes is; it is started again"
        ),
    ),
    "it begins": (
        running(ROUTE, started_at=at(-5)),
        "FTF",
        "Pending",
        "the router in pod router begins",
    ),
    "nobody listens, and it begins": (
        running(ROUTE, SETTINGS, ready=False),
        "FTF",
        "Pending",
        "the router in pod router begins",
    ),
    "nobody listens": (running(ROUTE, SETTINGS), "TFF", "Filing", FILING),
    "never heard": (
        running(ROUTE),
        "FTF",
        "NoReport",
        (
            "the router in pod router has reported nothing since it began: see its log, and "
            "whether it reaches the operator at https://operator.sealyard.svc:8443"
        ),
    ),
    "it reads its journal": (
        running(ROUTE.reported(), ready=False),
        "FTF",
        "Pending",
        "the router in pod router begins",
    ),
    "it begins anew, and reports before it knows": (
        running(ROUTE.reported(), ready=False, last_end=an_end(77, "the broker refused")),
        "FTF",
        "CredentialsRefused",
        "the broker refused",
    ),
    "it was killed, and now the store is away": (
        running(ROUTE.reported(problem="StoreUnavailable"), ready=False, last_end=an_end(137)),
        "FTF",
        "RemoteUnavailable",
        "the storage does not answer as it should",
    ),
    "lost messages keep it from being ready, and not the route": (
        running(ROUTE.reported(problem="MessagesLost", lost=7), ready=False),
        "TFF",
        "Filing",
        FILING,
    ),
    "of the container before": (
        running(ROUTE.reported(at(-60)), started_at=at(-30)),
        "FTF",
        "Pending",
        "the router in pod router begins",
    ),
    "silent": (
        running(ROUTE.reported(OLD)),
        "FTF",
        "NoReport",
        (
            "the router in pod router has reported nothing since 2026-11-24T11:56:59Z: see its "
            "log, and whether it reaches the operator at https://operator.sealyard.svc:8443"
        ),
    ),
    "silent while no operator ran": (
        running(ROUTE.reported(OLD), replace(WITH_PROGRESS, reachable_since=at(-10))),
        "TFF",
        "Filing",
        FILING,
    ),
    "no broker": (
        running(ROUTE.reported(problem="BrokerUnavailable", message="connection refused")),
        "FTF",
        "RemoteUnavailable",
        "the broker does not answer as it should: connection refused",
    ),
    "no store": (
        running(ROUTE.reported(problem="StoreUnavailable", message="503")),
        "FTF",
        "RemoteUnavailable",
        "the storage does not answer as it should: 503",
    ),
    "no pictures": (
        running(ROUTE.reported(problem="PicturesUnavailable")),
        "FTF",
        "RemoteUnavailable",
        "the store of the pictures does not answer as it should",
    ),
    "a full storage": (
        running(ROUTE.reported(problem="StorageFull", message="1 MiB left")),
        "FTF",
        "StorageFull",
        "the storage is full: make room, and it goes on: 1 MiB left",
    ),
    "filing": (running(ROUTE.reported()), "TFF", "Filing", FILING),
    "filing, though it was killed once": (
        running(ROUTE.reported(), last_end=an_end(137)),
        "TFF",
        "Filing",
        FILING,
    ),
    "filing, though some is lost": (
        running(ROUTE.reported(problem="MessagesLost", lost=7)),
        "TFF",
        "Filing",
        FILING,
    ),
}


@pytest.mark.parametrize(("plan", "letters", "reason", "message"), CASES.values(), ids=CASES)
def test_how_a_route_stands(plan: Plan, letters: str, reason: str, message: str) -> None:
    assert says(plan) == ("", letters, reason, message)
    assert "filing" not in plan.status
    assert "summary" not in plan.status


def test_a_route_that_is_deleted_is_left_alone() -> None:
    assert look(ROUTE.being_deleted().observed()) == Plan()


def test_whatever_a_router_ends_with_is_said_in_kubernetes_words_too() -> None:
    plan = running(ROUTE, last_end=an_end(1), ready=False, started_at=None)
    assert says(plan)[2:] == (
        "Retrying",
        "the router in pod router ended with exit code 1; it is started again",
    )


AGAIN: dict[str, tuple[Plan, float | None]] = {
    "until it is stale": (running(ROUTE.reported(at(-60))), 120.1),
    "until it has to have begun": (running(ROUTE, started_at=at(-60)), 120.1),
    "until a pod counts as lost": (running(ROUTE, deleted_by=at(-30)), 30.1),
    "until a pod should have started": (
        pending(created_at=at(-4), waiting_reason="Unschedulable"),
        6.1,
    ),
    "while it is down, the pod's next change": (down(69, "away"), None),
    "while it is silent, its next report": (running(ROUTE.reported(OLD)), None),
    "where nobody listens": (running(ROUTE, SETTINGS), None),
}


@pytest.mark.parametrize(("plan", "seconds"), AGAIN.values(), ids=AGAIN)
def test_when_it_is_looked_at_again(plan: Plan, seconds: float | None) -> None:
    assert plan.requeue_after == (seconds if seconds is None else pytest.approx(seconds))


def pod_at(seconds: float) -> ObservedPod:
    return ROUTE.pod(started_at=STARTED + timedelta(seconds=seconds))


def test_a_report_in_the_second_of_the_start_is_of_this_container() -> None:
    route = ROUTE.reported(STARTED)
    observed = route.observed(pod_at(0.9), deployment=route.deployed())
    plan = reconcile(observed, WITH_PROGRESS, STARTED + timedelta(seconds=1))
    assert says(plan)[2] == "Filing"
