"""A route, its Deployment and its pod as the API server sends them."""

from __future__ import annotations

import copy
from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.kind import (
    API_VERSION,
    APPLIED_ANNOTATION,
    OWNER_KIND_LABEL,
    OWNER_NAME_ANNOTATION,
    OWNER_UID_LABEL,
)
from sealyard.controller.kubernetes_api import Document
from sealyard.controller.resources import Key
from sealyard.core.jobs import router_name
from support.raw_objects import TIME, metadata, owner_reference
from support.routes import ROUTE_SPEC

ROUTE = Key("AnnotationRoute", "ns", "route")
HASH = "5d4f8b9c7"


def raw_route(name: str = "route", uid: str = "route-1", version: int = 1, **more: Any) -> Document:
    spec = copy.deepcopy(ROUTE_SPEC) | more.pop("spec", {})
    return {
        "apiVersion": API_VERSION,
        "kind": "AnnotationRoute",
        "metadata": metadata(name, uid, version) | more.pop("metadata", {}),
        "spec": spec,
        "status": more.pop("status", {}),
    }


def deployment_name(uid: str = "route-1", name: str = "route") -> str:
    return router_name(AnnotationRoute.from_wire(raw_route(name, uid)))


def raw_deployment(
    uid: str = "deployment-1",
    version: int = 1,
    *,
    owner: tuple[str, str, str] | None = ("AnnotationRoute", "route", "route-1"),
    conditions: tuple[Document, ...] = (),
    replicas: int = 1,
) -> Document:
    name = deployment_name(owner[2] if owner else "route-1")
    references = {"ownerReferences": [owner_reference(*owner)]} if owner else {}
    annotations = {APPLIED_ANNOTATION: "digest"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name, uid, version, annotations=annotations, **references),
        "spec": {"replicas": replicas},
        "status": {"conditions": list(conditions)},
    }


def raw_router_pod(
    uid: str = "pod-1",
    version: int = 1,
    *,
    route: tuple[str, str] = ("route", "route-1"),
    deployment: str | None = None,
    created: str = TIME,
    status: Document | None = None,
) -> Document:
    name, route_uid = route
    replica_set = f"{deployment or deployment_name(route_uid, name)}-{HASH}"
    owner = owner_reference("ReplicaSet", replica_set, "set-1") | {"apiVersion": "apps/v1"}
    labels = {
        OWNER_UID_LABEL: route_uid,
        OWNER_KIND_LABEL: "AnnotationRoute",
        "pod-template-hash": HASH,
    }
    annotations = {OWNER_NAME_ANNOTATION: name, APPLIED_ANNOTATION: "template"}
    return {
        "metadata": metadata(
            f"{replica_set}-{uid}",
            uid,
            version,
            labels=labels,
            annotations=annotations,
            ownerReferences=[owner],
        )
        | {"creationTimestamp": created},
        "spec": {"nodeName": "node-1"},
        "status": status or {"phase": "Running"},
    }
