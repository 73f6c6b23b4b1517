"""Makes a dataset of what an AnnotationRoute has filed, before anything looks at it.

The journal says which items there are at an offset and what is in them; pictures alone are fetched.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import yaml

from sealyard.annotations.items import Item
from sealyard.annotations.labels import label_lines
from sealyard.annotations.lineage import UsedAnnotation, lineage_bytes, used_annotations
from sealyard.annotations.message import SUFFIXES
from sealyard.annotations.snapshot import Division, divide
from sealyard.api.dataset import AnnotationsStatus
from sealyard.api.tasks import ExportTask, RemoteFolder, RouteSnapshot, TrainTask
from sealyard.delivery.annotation_bucket import BucketStorage
from sealyard.delivery.annotation_journal import Journal
from sealyard.delivery.annotation_storage import AnnotationStorage, FolderStorage
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below
from sealyard_trainer.data_yaml import DATA_FILE, SPLITS, VALIDATION_SPLIT
from sealyard_trainer.dataset_fetch import open_bucket
from sealyard_trainer.room import Room
from sealyard_trainer.snapshot_pictures import SnapshotPictures

FILES: Final = "files"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotDataset:
    """A dataset that was made."""

    root: Path
    """The folder of data.yaml."""
    used: list[UsedAnnotation]
    """What it consists of, by id; also the splits that were not asked for."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The list that a run keeps of its annotations, and what its status says of it."""

    content: bytes
    status: AnnotationsStatus

    @classmethod
    def of(cls, used: Sequence[UsedAnnotation]) -> Self:
        """The list of these, in this order."""
        content = lineage_bytes(used)
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, AnnotationsStatus(sha256=digest, items=len(used)))


def make_dataset(
    task: TrainTask | ExportTask,
    snapshot: RouteSnapshot,
    mounts: Mounts,
    folder: Path,
    *,
    splits: Sequence[str] = SPLITS,
    alive: Callable[[], object] = lambda: None,
    cache_bytes: int | None = None,
) -> SnapshotDataset:
    """Make what is not there yet.

    Args:
        task: says where the route files.
        snapshot: the task's.
        mounts: has that, or its credential.
        folder: takes the dataset; what an earlier attempt left there is gone on with.
        splits: those that are wanted.
        alive: called after each picture, and may end it by raising.
        cache_bytes: what everything in the workspace's volume may have, where that is a copy.

    Raises:
        InvalidError: there is nothing to train on, or nothing to judge by.
        MissingError: a picture, the storage or its credential is missing, or there is no room.
        IntegrityError: the journal was changed, or a picture is another one than its record says.
        UnavailableError, RefusedError: as the store says.
    """
    with open_storage(task.dataset, task.dataset_path, mounts) as storage:
        journal = Journal(storage)
        state = journal.at(snapshot.offset)
        division = divide(state.validated, snapshot.validation_percent)
        check_division(division, snapshot)
        if division.doubles:
            logger.info(
                "dataset: %d items are left out, as their pictures are in the validation set under "
                "other ids",
                len(division.doubles),
            )
        sides = {"train": division.train, VALIDATION_SPLIT: division.validation}
        items = {split: sides[split] for split in splits}
        files = folder / FILES
        try:
            _make(folder)
            _make(files)
            wanted = {
                picture_path(split, one): one for split, side in items.items() for one in side
            }
            room = Room(mounts.workspace, cache_bytes)
            SnapshotPictures(storage, journal, files, wanted, room).fetch(alive)
            _write(files, items, state.classes)
        except OSError as error:
            raise MissingError(f"{files} takes no more files ({error.strerror})") from error
    return SnapshotDataset(files, used_annotations(division))


@contextmanager
def open_storage(
    remote: RemoteFolder | None, path: str | None, mounts: Mounts
) -> Iterator[AnnotationStorage]:
    """What a route has filed: in its store, or in the claim that is mounted.

    Raises:
        MissingError: the folder in the claim, the credential or the CA bundle is not there.
    """
    if remote is not None:
        with open_bucket(remote, mounts) as bucket:
            yield BucketStorage(bucket, remote.prefix)
        return
    root = below(mounts.dataset, path)
    if not root.is_dir():
        raise MissingError(f"dataset: there is no folder {path or '/'} in the route's volume yet")
    yield FolderStorage(root)


def check_division(division: Division, snapshot: RouteSnapshot) -> None:
    """Refuse what nothing can be learnt from, or judged by.

    Raises:
        InvalidError: a side has no item.
    """
    train, validation = len(division.train), len(division.validation)
    if train and validation:
        return
    doubles = len(division.doubles)
    raise InvalidError(
        f"dataset: at offset {snapshot.offset} AnnotationRoute {snapshot.route} has "
        f"{train + validation + doubles} validated items with a picture, {train} to train on, "
        f"{validation} to validate by, and {doubles} with a picture of the latter "
        f"(validationPercent {snapshot.validation_percent}; all of a group are on one side): "
        "validate more, and create a new TrainingRun"
    )


def picture_path(split: str, item: Item) -> str:
    """Where a picture lies in the dataset; the digest of the dataset depends on it."""
    if item.picture is None:
        raise AssertionError("what is filed has a picture")
    return f"images/{split}/{item.id}.{SUFFIXES[item.picture.media_type]}"


def _write(files: Path, items: dict[str, tuple[Item, ...]], classes: Sequence[str]) -> None:
    """The labels and data.yaml, anew each time: they are small, and nothing else is believed."""
    for split, side in items.items():
        folder = files / "labels" / split
        folder.mkdir(parents=True)
        for item in side:
            try:
                text = label_lines(item.boxes, classes)
            except IntegrityError as error:
                raise IntegrityError(f"dataset: item {item.id}: {error}") from error
            (folder / f"{item.id}.txt").write_text(text)
    description = {
        **{split: f"images/{split}" for split in SPLITS},
        "names": dict(enumerate(classes)),
    }
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
    (files / DATA_FILE).write_text(text)


def _make(folder: Path) -> None:
    """A folder that is none of somebody else's: what lies below it will be deleted."""
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)
