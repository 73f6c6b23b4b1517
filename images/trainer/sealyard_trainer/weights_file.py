"""Brings the file to fine-tune from its volume: what is loaded is what was checked."""

from __future__ import annotations

from pathlib import Path

from sealyard.api.s3 import S3Workspace
from sealyard.api.secrets import OF_WEIGHTS, Purpose
from sealyard.api.training_run import PinnedWeights
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.workspace_store import WorkspaceStore
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import FileDigest, below, copy_atomic

MOST_BYTES = 1 << 30
"""Of a checkpoint: the copy shares the pod's scratch space with the view of the dataset."""


def fetch_weights(weights: PinnedWeights, mounts: Mounts, folder: Path) -> Path:
    """A private copy in `folder`, hashed as it was copied.

    Raises:
        MissingError: the file is not there.
        IntegrityError: it is another one than was pinned, or no file.
        InvalidError: it is too large, or its path leads out of the volume.
        UnavailableError, RefusedError: as the store says, where it is in one.
    """
    target = folder / "weights.pt"
    name = f"spec.model.weights: {weights.path} in {weights.place}"
    if weights.s3 is None:
        digest = _copy(below(mounts.weights, weights.path), target, name)
    else:
        digest = _fetch(weights.s3, weights.path, mounts, target, name)
    if digest.sha256 != weights.sha256:
        raise IntegrityError(
            f"{name} has the SHA-256 {digest.sha256}, and {weights.sha256} is wanted; put that "
            "file back, or create a new TrainingRun"
        )
    return target


def _copy(source: Path, target: Path, name: str) -> FileDigest:
    try:
        _check_size(source.stat().st_size, name)
        return copy_atomic(source, target)
    except FileNotFoundError as error:
        raise MissingError(f"{name} is not there (yet)") from error


def _fetch(place: S3Workspace, path: str, mounts: Mounts, target: Path, name: str) -> FileDigest:
    """From the workspace of the run that made it, which has another credential than this one's."""
    bundle = place.ca_bundle_ref
    with WorkspaceStore(
        S3Place(place.endpoint, place.region, place.bucket),
        place.prefix,
        SecretFiles(
            Purpose.WORKSPACE,
            mounts.secrets / OF_WEIGHTS,
            f"Secret {place.credentials_secret_ref.name}",
        ),
        bundle=CaBundle.mounted(mounts.ca / "weights", bundle.name if bundle else None),
    ) as store:
        key, _, file = path.rpartition("/")
        mirror = Mirror(store, key, target.parent, "")
        mirror.read()
        found = mirror.files.get(file)
        if found is None:
            raise MissingError(f"{name} is not there (yet)")
        _check_size(found.size_bytes, name)
        mirror.fetch([file])
    (target.parent / file).replace(target)
    return FileDigest(found.sha256, found.size_bytes)


def _check_size(size: int, name: str) -> None:
    if size > MOST_BYTES:
        raise InvalidError(f"{name} has {size} bytes; {MOST_BYTES} at most are read")
