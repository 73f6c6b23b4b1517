"""AnnotationRoutes for tests of the pure core: the route, its Deployment, its pod, its report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.core.annotation_route import reconcile
from sealyard.core.jobs import applied, pod_applied, router_deployment, router_name
from sealyard.core.observed import (
    AnnotationRouteObserved,
    ObservedClaim,
    ObservedDeployment,
    ObservedEnd,
    ObservedPod,
)
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings
from support.builders import NOW, WITH_PROGRESS, Resource, document, time_of

ROUTE_SPEC: dict[str, Any] = {
    "source": {
        "rabbitmqStream": {
            "host": "rabbitmq.queues.svc",
            "stream": "annotations",
            "credentialsSecretRef": {"name": "queue"},
            "caBundleRef": {"name": "queue-ca"},
        }
    },
    "identity": {"jwt": {"keySetSecretRef": {"name": "annotators"}}},
    "storage": {"persistentVolumeClaim": {"claimName": "annotations", "path": "coins"}},
    "classes": ["coin", "button"],
}
S3_STORAGE: dict[str, Any] = {
    "uri": "s3://annotations/coins",
    "endpoint": "https://s3.storage.svc:8333",
    "credentialsSecretRef": {"name": "annotations-writer"},
    "readSecretRef": {"name": "annotations-reader"},
    "caBundleRef": {"name": "storage-ca"},
}
"""In the place of the claim."""
PICTURES: dict[str, Any] = {
    "s3": {
        "uri": "s3://pictures",
        "endpoint": "https://pictures.test",
        "credentialsSecretRef": {"name": "pictures-reader"},
        "caBundleRef": {"name": "pictures-ca"},
    }
}
CLAIM = ObservedClaim("annotations", ("ReadWriteMany",), "Bound")
FIGURES: dict[str, Any] = {
    "offset": 1200,
    "lag": 3,
    "validated": 40,
    "seed": 12,
    "rejected": 2,
    "unproven": 5,
}
STARTED = NOW - timedelta(minutes=10)


class RouteBuilder(Resource):
    """An AnnotationRoute."""

    def build(self) -> AnnotationRoute:
        return AnnotationRoute.from_wire(self.document)

    def in_bucket(self) -> RouteBuilder:
        """Its storage is a folder in S3."""
        return self.with_spec("storage", {"s3": S3_STORAGE})

    def reported(self, at: datetime = NOW, **figures: Any) -> RouteBuilder:
        """Its router has."""
        return self.with_status(filing=FIGURES | {"updatedAt": time_of(at)} | figures)

    def observed(
        self,
        pod: ObservedPod | None = None,
        *,
        deployment: ObservedDeployment | None = None,
        claims: tuple[ObservedClaim, ...] = (CLAIM,),
        owner: str | None = None,
        foreign: tuple[str, ...] = (),
    ) -> AnnotationRouteObserved:
        found = replace(deployment, pod=pod) if deployment else None
        return AnnotationRouteObserved(self.build(), found, claims, owner, foreign)

    def deployed(self, settings: Settings = WITH_PROGRESS, **more: Any) -> ObservedDeployment:
        """The Deployment as it is once it was applied."""
        manifest = router_deployment(self.build(), settings, replicas=1)
        found = ObservedDeployment(router_name(self.build()), applied(manifest), replicas=1)
        return replace(found, **more)

    def pod(self, settings: Settings = WITH_PROGRESS, **more: Any) -> ObservedPod:
        """The pod of that, which runs and is ready."""
        manifest = router_deployment(self.build(), settings, replicas=1)
        pod = ObservedPod(
            name="router",
            uid="router-uid",
            phase="Running",
            node="node-1",
            started_at=STARTED,
            created_at=STARTED,
            ready=True,
            applied=pod_applied(manifest),
        )
        return replace(pod, **more)


def a_route() -> RouteBuilder:
    return RouteBuilder(document("coins", "route-uid", ROUTE_SPEC))


def an_end(code: int, message: str | None = None, reason: str = "Error") -> ObservedEnd:
    """A container that ended, and said why."""
    return ObservedEnd(code, reason, json.dumps({"message": message}) if message else None)


def look(observed: AnnotationRouteObserved, settings: Settings = WITH_PROGRESS) -> Plan:
    """What the operator would do now."""
    return reconcile(observed, settings, NOW)


def running(route: RouteBuilder, settings: Settings = WITH_PROGRESS, **pod: Any) -> Plan:
    """A route whose Deployment is as it should be."""
    observed = route.observed(route.pod(settings, **pod), deployment=route.deployed(settings))
    return look(observed, settings)
