"""The Deployment that files annotations: one pod, which the kubelet starts again and again."""

from __future__ import annotations

from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.digests import job_name, structure_sha256
from sealyard.api.filing import RemoteStream, RouteTask
from sealyard.api.kind import APPLIED_ANNOTATION, OWNER_UID_LABEL, ROLE_LABEL
from sealyard.api.mounts import ROUTER_PORT
from sealyard.api.s3 import S3Folder
from sealyard.api.secrets import Purpose, Role
from sealyard.core.jobs import pod
from sealyard.core.jobs.remotes import owner_of
from sealyard.core.settings import Settings
from sealyard.core.stores import remote_folder

ENTRY_POINT = "sealyard-router"
GRACE_SECONDS = 60
"""Time to write the entry that is under way."""
BASE_MEMORY_MIB = 512
PICTURES_AT_ONCE = 8
"""How many of the largest pictures fit into its memory beside that."""
KEPT_REVISIONS = 2
APPLIED_DIGITS = 16


def router_name(route: AnnotationRoute) -> str:
    """The name of a route's Deployment."""
    metadata = route.metadata
    return job_name(metadata.name, metadata.uid, Role.ROUTE, "", 1)


def router_deployment(
    route: AnnotationRoute, settings: Settings, *, replicas: int
) -> dict[str, Any]:
    """The Deployment of a route, with the digest of all that is in it.

    Args:
        route: its spec is valid.
        settings: the operator's configuration, which the image comes from.
        replicas: 1, or 0 where it is not to run.
    """
    parts = pod.JobParts(
        owner=route,
        role=Role.ROUTE,
        attempt=1,
        image=settings.images.router,
        entry_point=ENTRY_POINT,
        task=_task(route, settings),
        resources=_resources(route.spec.max_picture_bytes),
        mounts=_mounts(route, settings),
        scratch_size=route.spec.index_size,
        grace_seconds=GRACE_SECONDS,
        pods=settings.pods,
    )
    template = pod.template(parts)
    [container] = template["spec"]["containers"]
    template["spec"] |= {"restartPolicy": "Always", "containers": [container | _asked()]}
    _mark(template)
    manifest: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": pod.metadata_of(parts, {}),
        "spec": {
            "replicas": replicas,
            # Two at once would be right, and would do everything twice.
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": KEPT_REVISIONS,
            "selector": {
                "matchLabels": {
                    OWNER_UID_LABEL: route.metadata.uid,
                    ROLE_LABEL: str(Role.ROUTE),
                }
            },
            "template": template,
        },
    }
    _mark(manifest)
    return manifest


def applied(manifest: dict[str, Any]) -> str:
    """The digest of a Deployment, which is in it."""
    digest: str = manifest["metadata"]["annotations"][APPLIED_ANNOTATION]
    return digest


def pod_applied(manifest: dict[str, Any]) -> str:
    """The digest of a Deployment's template, which its pods carry."""
    return applied(manifest["spec"]["template"])


def _mark(structure: dict[str, Any]) -> None:
    digest = structure_sha256(structure)[:APPLIED_DIGITS]
    structure["metadata"]["annotations"][APPLIED_ANNOTATION] = digest


def _task(route: AnnotationRoute, settings: Settings) -> RouteTask:
    spec = route.spec
    stream, storage = spec.source.rabbitmq_stream, spec.storage
    claim = storage.persistent_volume_claim
    bundle = stream.ca_bundle_ref
    jwt = spec.identity.jwt
    return RouteTask(
        owner=owner_of(route),
        attempt=1,
        source=RemoteStream(
            host=stream.host,
            port=stream.port,
            virtual_host=stream.virtual_host,
            stream=stream.stream,
            secret_name=stream.credentials_secret_ref.name,
            ca_bundle_name=bundle.name if bundle else None,
        ),
        identity=spec.identity,
        roles=spec.roles,
        key_set_secret_name=jwt.key_set_secret_ref.name if jwt else None,
        storage=remote_folder(storage.s3) if storage.s3 else None,
        storage_path=claim.path if claim else None,
        pictures=remote_folder(spec.pictures.s3) if spec.pictures else None,
        classes=spec.classes,
        validation_percent=spec.validation_percent,
        max_picture_bytes=spec.max_picture_bytes,
        progress=settings.progress,
    )


def _mounts(route: AnnotationRoute, settings: Settings) -> list[pod.Mount]:
    spec = route.spec
    stream, storage, jwt = spec.source.rabbitmq_stream, spec.storage, spec.identity.jwt
    mounts = [pod.secret(Role.ROUTE, Purpose.QUEUE, stream.credentials_secret_ref.name)]
    if stream.ca_bundle_ref:
        mounts.append(pod.ca_bundle(str(Purpose.QUEUE), stream.ca_bundle_ref.name))
    if jwt:
        mounts.append(pod.secret(Role.ROUTE, Purpose.IDENTITY_KEYS, jwt.key_set_secret_ref.name))
    if storage.persistent_volume_claim:
        mounts.append(pod.filed_annotations(storage.persistent_volume_claim.claim_name))
    if storage.s3:
        mounts += _folder(Purpose.ANNOTATIONS, storage.s3)
    if spec.pictures:
        mounts += _folder(Purpose.PICTURES, spec.pictures.s3)
    if settings.progress is not None:
        mounts.append(pod.progress_token())
    return mounts


def _folder(purpose: Purpose, folder: S3Folder) -> list[pod.Mount]:
    mounts = [pod.secret(Role.ROUTE, purpose, folder.credentials_secret_ref.name)]
    bundle = folder.ca_bundle_ref
    return mounts + ([pod.ca_bundle(str(purpose), bundle.name)] if bundle else [])


def _resources(max_picture_bytes: int) -> dict[str, Any]:
    limit = BASE_MEMORY_MIB + PICTURES_AT_ONCE * max_picture_bytes // (1 << 20)
    return {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"memory": f"{limit}Mi"},
    }


def _asked() -> dict[str, Any]:
    """The part of the container that says how it is asked for its health."""

    def probe(path: str, seconds: int) -> dict[str, Any]:
        return {
            "httpGet": {"path": path, "port": "http"},
            "periodSeconds": seconds,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        }

    return {
        "ports": [{"name": "http", "containerPort": ROUTER_PORT, "protocol": "TCP"}],
        "readinessProbe": probe("/readyz", 5),
        "livenessProbe": probe("/healthz", 20),
    }
