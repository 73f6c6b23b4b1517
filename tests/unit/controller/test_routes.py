"""What the controller knows of routes, their Deployments and their pods, and what it applies."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.controller.apply import Applier, ConflictError, Foreign, NameTakenError
from sealyard.controller.caches import Caches
from sealyard.controller.events import EventPoster
from sealyard.controller.kubernetes_api import ApiError
from sealyard.controller.observe import Around, observe
from sealyard.controller.pod_records import deployment_record, pod_record
from sealyard.controller.records import ObjectRecord
from sealyard.controller.resources import CLAIMS, DEPLOYMENTS, PODS, ROUTES, Key
from sealyard.core.observed import AnnotationRouteObserved, ObservedEnd
from sealyard.core.plan import Plan
from support.builders import NOW
from support.controller import FakeApi
from support.raw_objects import raw_claim, raw_job
from support.routers import (
    ROUTE,
    deployment_name,
    raw_deployment,
    raw_route,
    raw_router_pod,
)
from support.routes import S3_STORAGE

YOUNGER = Key("AnnotationRoute", "ns", "younger")


def younger(**more: Any) -> dict[str, Any]:
    later = {"creationTimestamp": "2026-11-23T11:00:00Z"}
    return raw_route("younger", "route-2", metadata=later, **more)


@pytest.fixture
def caches() -> Caches:
    """Two routes with one storage, and the older one's Deployment and pod."""
    caches = Caches()
    caches.note(CLAIMS, raw_claim("annotations"))
    caches.note(ROUTES, raw_route())
    caches.note(ROUTES, younger())
    caches.note(DEPLOYMENTS, raw_deployment())
    caches.note(PODS, raw_router_pod())
    return caches


def look(caches: Caches, key: Key, foreign: tuple[str, ...] = ()) -> AnnotationRouteObserved:
    record = caches.object(key)
    assert record is not None
    observed = observe(caches, record, record.parse(), NOW, Around(foreign))
    assert isinstance(observed, AnnotationRouteObserved)
    return observed


def test_a_deployment() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    record = deployment_record(raw_deployment(conditions=(failure,), replicas=0))
    assert record is not None
    assert (record.owner, record.owner_uid) == (ROUTE, "route-1")
    deployment = record.deployment
    assert (deployment.applied, deployment.replicas) == ("digest", 0)
    assert deployment.trouble == "exceeded quota"


@pytest.mark.parametrize("owner", [None, ("ReplicaSet", "x", "y"), ("Job", "x", "y")])
def test_a_deployment_of_nobody_here(owner: Any) -> None:
    assert deployment_record(raw_deployment(owner=owner)) is None


def test_a_router_between_two_lives() -> None:
    ended = {"exitCode": 66, "reason": "Error", "message": "{}"}
    container = {
        "name": "main",
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": ended},
    }
    status = {"phase": "Running", "containerStatuses": [container]}
    record = pod_record(raw_router_pod(status=status))
    assert record is not None
    assert (record.owner, record.work_uid, record.deployment) == (
        ROUTE,
        "route-1",
        deployment_name(),
    )
    pod = record.pod
    assert (pod.applied, pod.ready, pod.started_at) == ("template", False, None)
    assert pod.last_end == ObservedEnd(66, "Error", "{}")
    container["state"] = {"terminated": ended | {"exitCode": 69}}
    record = pod_record(raw_router_pod(status=status))
    assert record is not None
    assert record.pod.last_end
    assert record.pod.last_end.exit_code == 69


@pytest.mark.parametrize("missing", ["labels", "annotations", "ownerReferences"])
def test_a_pod_that_lacks_what_tells_whose_it_is(missing: str) -> None:
    raw = raw_router_pod()
    del raw["metadata"][missing]
    assert pod_record(raw) is None


CONCERNS = [
    (ROUTES, raw_route(version=2), {ROUTE, YOUNGER}),
    (CLAIMS, raw_claim("annotations", version=2), {ROUTE, YOUNGER}),
    (DEPLOYMENTS, raw_deployment(version=2), {ROUTE}),
    (DEPLOYMENTS, raw_deployment(version=1), set()),
    (DEPLOYMENTS, raw_deployment("stranger", 9, owner=None), set()),
    (PODS, raw_router_pod(version=2), {ROUTE}),
    (PODS, raw_router_pod("pod-2", route=("younger", "route-2")), {YOUNGER}),
]


@pytest.mark.parametrize(("resource", "raw", "concerns"), CONCERNS)
def test_what_a_change_concerns(
    caches: Caches, resource: Any, raw: Any, concerns: set[Key]
) -> None:
    assert caches.note(resource, raw) == concerns


def test_what_is_gone_is_forgotten(caches: Caches) -> None:
    pod = raw_router_pod()["metadata"]["name"]
    assert caches.remove(PODS, "ns", pod, "pod-1") == {ROUTE}
    assert caches.remove(DEPLOYMENTS, "ns", deployment_name(), "another") == set()
    assert caches.remove(DEPLOYMENTS, "ns", deployment_name(), "deployment-1") == {ROUTE}
    assert look(caches, ROUTE).deployment is None
    caches.note(DEPLOYMENTS, raw_deployment("deployment-2", 20))
    assert caches.keep_only(DEPLOYMENTS, None, set(), 30) == {ROUTE}
    for key, uid in ((ROUTE, "route-1"), (YOUNGER, "route-2")):
        caches.remove(ROUTES, "ns", key.name, uid)
    caches.remove(CLAIMS, "ns", "annotations", "claim-1")
    assert len(caches) == 0
    assert not caches._dependents


def test_a_route(caches: Caches) -> None:
    observed = look(caches, ROUTE, ("taken",))
    assert observed.route.metadata.name == "route"
    assert observed.deployment
    assert observed.deployment.pod
    assert observed.deployment.pod.uid == "pod-1"
    assert [claim.name for claim in observed.claims] == ["annotations"]
    assert (observed.owner, observed.foreign) == (None, ("taken",))


def test_a_deployment_of_another_life_is_none(caches: Caches) -> None:
    caches.note(ROUTES, raw_route(uid="route-9", version=9))
    assert look(caches, ROUTE).deployment is None


S3 = {"storage": {"s3": S3_STORAGE}}
SAME_PLACE = {"storage": {"s3": S3_STORAGE | {"credentialsSecretRef": {"name": "other"}}}}
OTHER_PLACE = {"storage": {"s3": S3_STORAGE | {"uri": "s3://annotations/other"}}}
SLASH = {"storage": {"s3": S3_STORAGE | {"uri": f"{S3_STORAGE['uri']}/"}}}
ENDPOINT = "https://s3.example.org"
SPELLINGS = [
    *(f"{ENDPOINT}{end}" for end in ("/", ":443", ":443/", ".", ".:443", "//", "/.")),
    f"https://{ENDPOINT.removeprefix('https://').upper()}",
]
OTHERS = [f"{ENDPOINT}:8333", f"{ENDPOINT}/path", f"{ENDPOINT}:99999", f"{ENDPOINT}.org"]
CLAIM_ROOT = {"storage": {"persistentVolumeClaim": {"claimName": "annotations"}}}


def s3_at(endpoint: str) -> dict[str, Any]:
    return {"storage": {"s3": S3_STORAGE | {"endpoint": endpoint}}}


@pytest.mark.parametrize(
    ("older", "other", "owner"),
    [
        ({}, {}, "route"),
        ({}, CLAIM_ROOT, None),
        ({}, S3, None),
        (S3, S3, "route"),
        (S3, SAME_PLACE, "route"),
        (S3, SLASH, "route"),
        (S3, OTHER_PLACE, None),
        *((s3_at(ENDPOINT), s3_at(endpoint), "route") for endpoint in SPELLINGS),
        *((s3_at(ENDPOINT), s3_at(endpoint), None) for endpoint in OTHERS),
    ],
)
def test_who_owns_a_storage(
    older: dict[str, Any], other: dict[str, Any], owner: str | None
) -> None:
    caches = Caches()
    caches.note(ROUTES, younger(spec=other))
    assert look(caches, YOUNGER).owner is None
    caches.note(ROUTES, raw_route(spec=older))
    assert look(caches, YOUNGER).owner == owner
    assert look(caches, ROUTE).owner is None


class Shell:
    """An applier over a fake API server."""

    def __init__(self) -> None:
        self.api = FakeApi(raw_route())
        self.caches = Caches()
        self.caches.note(ROUTES, raw_route())
        self.foreign = Foreign(lambda: 0.0)
        poster = EventPoster(self.api, "pod-0")
        self.applier = Applier(self.api, self.caches, self.foreign, poster, set().update)

    @property
    def record(self) -> ObjectRecord:
        record = self.caches.object(ROUTE)
        assert record is not None
        return record

    async def apply(self, manifest: dict[str, Any]) -> bool:
        return await self.applier.children(self.record, Plan(apply=(manifest,)))

    def known(self) -> str:
        found = self.caches.deployment("ns", deployment_name())
        assert found is not None
        return found.uid


def manifest(**more: Any) -> dict[str, Any]:
    raw = raw_deployment(**more)
    for field in ("uid", "resourceVersion"):
        del raw["metadata"][field]
    return raw


@pytest.fixture
def shell() -> Shell:
    return Shell()


async def test_an_applied_deployment_is_known_at_once(shell: Shell) -> None:
    assert await shell.apply(manifest())
    assert shell.known() == f"uid-{deployment_name()}"
    await shell.apply(manifest(replicas=0))
    found = shell.caches.deployment("ns", deployment_name())
    assert found
    assert found.deployment.replicas == 0
    assert shell.api.asked["read"] == 1, "what is known is not looked up"


async def test_one_that_is_ours_already_is_applied_by_its_uid(shell: Shell) -> None:
    await shell.api.apply(DEPLOYMENTS, manifest())
    await shell.apply(manifest())
    assert shell.known() == f"uid-{deployment_name()}"


@pytest.mark.parametrize("owner", [None, ("AnnotationRoute", "route", "route-1-of-another-life")])
async def test_one_of_somebody_else_is_left_alone(shell: Shell, owner: Any) -> None:
    theirs = manifest(owner=owner)
    theirs["metadata"]["name"] = deployment_name()
    await shell.api.apply(DEPLOYMENTS, theirs)
    with pytest.raises(NameTakenError):
        await shell.apply(manifest())
    assert shell.api.writes == [("apply", deployment_name())]
    assert shell.foreign.of(ROUTE) == (deployment_name(),)


async def test_one_that_was_replaced_meanwhile_is_looked_at_anew(shell: Shell) -> None:
    shell.caches.note(DEPLOYMENTS, raw_deployment("deployment-of-old"))
    await shell.api.apply(DEPLOYMENTS, manifest())
    with pytest.raises(ConflictError):
        await shell.apply(manifest())


@pytest.mark.parametrize(("status", "events"), [(403, 1), (422, 1), (500, 0)])
async def test_what_is_refused_is_told(shell: Shell, status: int, events: int) -> None:
    shell.api.fail("apply", status)
    with pytest.raises(ApiError):
        await shell.apply(manifest())
    assert len(shell.api.events) == events
    if events:
        assert "cannot be applied; it is tried again" in shell.api.events[0]["note"]


async def test_an_api_server_that_does_not_say_whose_it_is_is_asked_again(shell: Shell) -> None:
    shell.api.fail("read", 503)
    with pytest.raises(ApiError):
        await shell.apply(manifest())
    assert shell.api.writes == []


async def test_a_job_of_the_name_is_no_deployment(shell: Shell) -> None:
    assert shell.caches.note(DEPLOYMENTS, raw_job(owner=None)) == set()
