"""Brings the file to fine-tune from its volume: what is loaded is what was checked."""

from __future__ import annotations

from pathlib import Path

from sealyard.api.training_run import PinnedWeights
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.workspace import below, copy_atomic

MOST_BYTES = 1 << 30
"""Of a checkpoint: the copy shares the pod's scratch space with the view of the dataset."""


def fetch_weights(weights: PinnedWeights, mount: Path, folder: Path) -> Path:
    """A private copy in `folder`, hashed as it was copied.

    Raises:
        MissingError: the file is not in the volume.
        IntegrityError: it is another one than was pinned, or no file.
        InvalidError: it is too large, or its path leads out of the volume.
    """
    source, target = below(mount, weights.path), folder / "weights.pt"
    name = f"spec.model.weights: {weights.path} in claim {weights.claim_name}"
    try:
        size = source.stat().st_size
        if size > MOST_BYTES:
            raise InvalidError(f"{name} has {size} bytes; {MOST_BYTES} at most are read")
        digest = copy_atomic(source, target)
    except FileNotFoundError as error:
        raise MissingError(f"{name} is not there (yet)") from error
    if digest.sha256 != weights.sha256:
        raise IntegrityError(
            f"{name} has the SHA-256 {digest.sha256}, and {weights.sha256} is wanted; put that "
            "file back, or create a new TrainingRun"
        )
    return target
