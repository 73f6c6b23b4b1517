"""Stores as a task names them, and what is mounted to reach those of a target."""

from __future__ import annotations

from typing import Literal

from sealyard.api.kind import CustomResource
from sealyard.api.model_release import PinnedTarget
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.tasks import Owner, RemoteApi, RemoteCdn
from sealyard.core.jobs import pod


def pin(target: ReleaseTarget) -> PinnedTarget:
    """Where this target puts things now."""
    return PinnedTarget(
        name=target.metadata.name,
        api_url=target.spec.api.url,
        cdn_endpoint=target.spec.cdn.endpoint,
        bucket=target.spec.cdn.bucket,
        prefix=target.spec.cdn.prefix,
    )


def owner_of(resource: CustomResource) -> Owner:
    """The owner as a task names it."""
    metadata = resource.metadata
    return Owner(namespace=metadata.namespace, name=metadata.name, uid=metadata.uid)


def remote_api(target: ReleaseTarget, pinned: PinnedTarget, secret_name: str) -> RemoteApi:
    """The release API, with the login of a Secret."""
    bundle = target.spec.api.ca_bundle_ref
    return RemoteApi(
        url=pinned.api_url,
        secret_name=secret_name,
        ca_bundle_name=bundle.name if bundle else None,
    )


def remote_cdn(target: ReleaseTarget, pinned: PinnedTarget, secret_name: str) -> RemoteCdn:
    """The CDN, with the credential of a Secret."""
    bundle = target.spec.cdn.ca_bundle_ref
    return RemoteCdn(
        endpoint=pinned.cdn_endpoint,
        region=target.spec.cdn.region,
        bucket=pinned.bucket,
        prefix=pinned.prefix,
        secret_name=secret_name,
        ca_bundle_name=bundle.name if bundle else None,
    )


def ca_bundles(target: ReleaseTarget, *remotes: Literal["api", "cdn"]) -> list[pod.Mount]:
    """The bundles that the certificates of these remotes must verify against."""
    bundles = {"api": target.spec.api.ca_bundle_ref, "cdn": target.spec.cdn.ca_bundle_ref}
    named = ((remote, bundles[remote]) for remote in remotes)
    return [pod.ca_bundle(remote, ref.name) for remote, ref in named if ref]
