"""A dataset as a task names it, and what is mounted to reach it."""

from __future__ import annotations

from sealyard.api.dataset import DatasetPlace, PinnedSnapshot
from sealyard.api.secrets import Purpose, Role
from sealyard.api.tasks import RemoteFolder, RouteSnapshot
from sealyard.core.jobs import pod
from sealyard.core.stores import remote_folder


def remote_dataset(dataset: DatasetPlace) -> RemoteFolder | None:
    """Where it is fetched from; None where it lies in a claim."""
    return remote_folder(dataset.s3) if dataset.s3 else None


def dataset_mounts(role: Role, dataset: DatasetPlace) -> list[pod.Mount]:
    """Its claim, or the credential and the CA bundle of its store."""
    if dataset.claim_name is not None:
        return [pod.dataset(dataset.claim_name)]
    if dataset.s3 is None:
        raise AssertionError("the API server lets in no dataset without a place, nor is one pinned")
    secret, bundle = dataset.s3.credentials_secret_ref, dataset.s3.ca_bundle_ref
    mounts = [pod.secret(role, Purpose.DATASET, secret.name)]
    return mounts + ([pod.ca_bundle("dataset", bundle.name)] if bundle else [])


def route_snapshot(pinned: PinnedSnapshot | None) -> RouteSnapshot | None:
    """The state of a route as a task names it; None where the dataset is one already."""
    if pinned is None:
        return None
    return RouteSnapshot(
        route=pinned.route, offset=pinned.offset, validation_percent=pinned.validation_percent
    )
