"""The pictures that an export is calibrated and judged on: those that the run was validated on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealyard.api.tasks import ExportTask
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below
from sealyard_trainer.data_yaml import VALIDATION_SPLIT
from sealyard_trainer.dataset import Dataset, read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_fetch import fetch_dataset
from sealyard_trainer.dataset_lock import LOCK_FILE, read_lock
from sealyard_trainer.dataset_snapshot import make_dataset


def pinned_validation_set(
    task: ExportTask, mounts: Mounts, fetched: Path, *, alive: Callable[[], object]
) -> Dataset:
    """The validation split, and no other, as the run's dataset.lock pins it.

    Args:
        task: says where the dataset is.
        mounts: has it, or the credential of its store.
        fetched: takes what is fetched or made of it, if it is not mounted.
        alive: called while it is fetched, and may end that by raising.

    Raises:
        MissingError: the dataset, or the lock, is not there.
        UnavailableError, RefusedError: as the dataset's store says.
        InvalidError: a picture or a label is broken.
        IntegrityError: the split is not what the run was validated on.
    """
    lock = read_lock(below(mounts.workspace, task.run_path))
    if lock is None:
        raise MissingError(f"{LOCK_FILE} is not in {task.run_path}; the run's folder has lost it")
    splits = (VALIDATION_SPLIT,)
    cache_bytes = task.workspace.cache_bytes if task.workspace else None
    if task.snapshot is not None:
        made = make_dataset(
            task,
            task.snapshot,
            mounts,
            fetched,
            splits=splits,
            alive=alive,
            cache_bytes=cache_bytes,
        )
        root = made.root
    elif task.dataset is not None:
        root = fetch_dataset(
            task.dataset, mounts, fetched, splits=splits, alive=alive, cache_bytes=cache_bytes
        )
    else:
        root = _mounted(task, mounts)
    part = read_dataset(root, splits)
    wanted = lock.split_digests.get(VALIDATION_SPLIT)
    if wanted is None:
        # Of a run that an earlier version trained: it knew the digest of the whole alone.
        is_same = inspect(read_dataset(root)).digest == lock.digest
    else:
        is_same = inspect(part).split_digests.get(VALIDATION_SPLIT) == wanted
    if not is_same:
        raise IntegrityError(
            "the validation set changed since the training, so no export can be compared with what "
            "the run reached; put it back, or train again"
        )
    return part


def _mounted(task: ExportTask, mounts: Mounts) -> Path:
    root = below(mounts.dataset, task.dataset_path)
    if not root.is_dir():
        raise MissingError(
            f"dataset: there is no folder {task.dataset_path or '/'} in the dataset's volume"
        )
    return root


def evenly_spaced(dataset: Dataset, most: int) -> list[Path]:
    """So many of its pictures at most, from the first to the last."""
    paths = [dataset.root / picture.path for picture in dataset.pictures]
    if len(paths) <= most:
        return paths
    return [paths[position * len(paths) // most] for position in range(most)]
