"""dataset.lock: what the first attempt saw, so that no later one learns from something else."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from sealyard.api.model import Model, Sha256
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import read_record, write_atomic
from sealyard_trainer.dataset_check import Inspection

LOCK_FILE = "dataset.lock"


class DatasetLock(Model):
    """The dataset of a run, and what it is trained with."""

    owner_uid: str
    locked_at: datetime
    digest: Sha256
    files_digest: Sha256
    split_digests: dict[str, Sha256] = Field(default_factory=dict)
    """Those of an earlier version have none."""
    pictures: dict[str, int]
    boxes: dict[str, int]
    software: str
    weights: Sha256 | None = None
    """Of the file that it is fine-tuned from, if any."""


class Verdict(enum.Enum):
    """What an attempt does with what lies in the run's folder."""

    FRESH = "begin; nothing that lies there may be used"
    RESUME = "go on from what lies there"


def compare_with_lock(
    folder: Path,
    inspection: Inspection,
    *,
    owner_uid: str,
    software: str,
    requested_at: datetime | None,
    weights: str | None = None,
) -> Verdict:
    """Compare the dataset and the weights with the lock in `folder`, if there is one.

    A run that a user asked for again after the lock was written, and one of another custom
    resource, may begin anew with what the dataset is now. Attempts of one run may not.

    Raises:
        IntegrityError: the dataset or the weights changed between two attempts of one run.
    """
    lock = read_lock(folder)
    if lock is None:
        return Verdict.FRESH
    own = lock.owner_uid == owner_uid
    if (lock.digest, lock.weights) == (inspection.digest, weights):
        return Verdict.RESUME if own or lock.software == software else Verdict.FRESH
    if is_pinned(lock, owner_uid=owner_uid, requested_at=requested_at):
        raise IntegrityError(_describe_change(lock, inspection, weights))
    return Verdict.FRESH


def is_pinned(lock: DatasetLock | None, *, owner_uid: str, requested_at: datetime | None) -> bool:
    """Whether an earlier attempt at the same request has left it: what lies beside it counts."""
    return (
        lock is not None
        and lock.owner_uid == owner_uid
        and (requested_at is None or lock.locked_at >= requested_at)
    )


def write_lock(
    folder: Path,
    inspection: Inspection,
    *,
    owner_uid: str,
    software: str,
    weights: str | None = None,
) -> None:
    """Pin the dataset; the folder holds nothing of another one any more."""
    lock = DatasetLock(
        owner_uid=owner_uid,
        locked_at=datetime.now(UTC),
        digest=inspection.digest,
        files_digest=inspection.files_digest,
        split_digests=inspection.split_digests,
        pictures=inspection.pictures,
        boxes=inspection.boxes,
        software=software,
        weights=weights,
    )
    write_atomic(folder / LOCK_FILE, lock.model_dump_json(by_alias=True, indent=1).encode())


def read_lock(folder: Path) -> DatasetLock | None:
    """The lock in a run's folder, if there is one.

    Raises:
        IntegrityError: it cannot be read.
    """
    try:
        return DatasetLock.model_validate_json(read_record(folder / LOCK_FILE))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise IntegrityError(
            f"{LOCK_FILE} in the run's folder cannot be read; delete the folder {folder.name} in "
            "the workspace to begin anew"
        ) from error


def _describe_change(lock: DatasetLock, inspection: Inspection, weights: str | None) -> str:
    if lock.digest == inspection.digest:
        return (
            f"the weights changed since the first attempt: their SHA-256 was {lock.weights} and is "
            f"{weights}; set the annotation sealyard.io/requestedAt to begin anew with what they "
            "are now"
        )
    if lock.files_digest != inspection.files_digest:
        before, now = sum(lock.pictures.values()), sum(inspection.pictures.values())
        change = f"pictures were added, removed or renamed ({before} before, {now} now)"
    else:
        change = "pictures, labels or names have other contents"
    return (
        f"the dataset changed since the first attempt: {change}; put it back, or set the "
        "annotation sealyard.io/requestedAt to train on what it is now"
    )
