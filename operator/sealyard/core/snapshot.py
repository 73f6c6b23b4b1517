"""Which state of an AnnotationRoute a run is pinned to."""

from __future__ import annotations

from sealyard.api.annotation_route import AnnotationRoute, StorageSpec
from sealyard.api.dataset import DatasetPlace, PinnedSnapshot
from sealyard.api.s3 import S3Folder
from sealyard.api.training_run import TrainingRun


def snapshot_of(run: TrainingRun, route: AnnotationRoute | None) -> PinnedSnapshot | None:
    """What the run would be pinned to now.

    Args:
        run: it may name a route.
        route: that one, if it exists.

    Returns:
        None where it names none, or there is nothing yet to be pinned to.
    """
    reference = run.spec.dataset.annotation_route_ref
    filing = route.status.filing if route else None
    if reference is None or route is None or filing is None:
        return None
    if reference.offset is None and not filing.validated:
        return None
    wanted = reference.offset or filing.offset
    if wanted > filing.offset:
        return None
    return PinnedSnapshot(
        route=route.metadata.name,
        route_uid=route.metadata.uid,
        offset=wanted,
        validation_percent=route.spec.validation_percent,
        storage=storage_place(route.spec.storage),
    )


def storage_place(storage: StorageSpec) -> DatasetPlace:
    """Where others read what a route files, with the credential that may only read."""
    source = storage.s3
    if source is None:
        return DatasetPlace(persistent_volume_claim=storage.persistent_volume_claim)
    return DatasetPlace(
        s3=S3Folder(
            uri=source.uri,
            endpoint=source.endpoint,
            region=source.region,
            credentials_secret_ref=source.read_secret_ref,
            ca_bundle_ref=source.ca_bundle_ref,
        )
    )
