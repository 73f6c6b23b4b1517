"""Where an attempt has its dataset from: a volume, a store, or what a route has filed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sealyard.api.tasks import TrainTask
from sealyard.errors import MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below
from sealyard_trainer.dataset import Dataset, read_dataset
from sealyard_trainer.dataset_check import Inspection, inspect
from sealyard_trainer.dataset_fetch import fetch_dataset
from sealyard_trainer.dataset_snapshot import Lineage, make_dataset

logger = logging.getLogger(__name__)


def is_fetched(task: TrainTask) -> bool:
    """Whether the dataset lies elsewhere, and must come into the workspace first."""
    return task.dataset is not None or task.snapshot is not None


def obtain(
    task: TrainTask,
    mounts: Mounts,
    folder: Path,
    alive: Callable[[], object] = lambda: None,
) -> tuple[Path, Lineage | None]:
    """The folder of data.yaml, mounted, fetched or made, and which annotations it is made of.

    Args:
        task: says where it lies.
        mounts: has it, or what opens it.
        folder: takes what must be fetched.
        alive: called now and then while it is, and may end it by raising.

    Raises:
        MissingError: it is not there, or there is no room for it.
        SealyardError: as `fetch_dataset` and `make_dataset`.
    """
    room = task.workspace.cache_bytes if task.workspace else None
    if task.snapshot is not None:
        made = make_dataset(task, task.snapshot, mounts, folder, alive=alive, cache_bytes=room)
        return made.root, Lineage.of(made.used)
    if task.dataset is not None:
        return fetch_dataset(task.dataset, mounts, folder, alive=alive, cache_bytes=room), None
    root = below(mounts.dataset, task.dataset_path)
    if not root.is_dir():
        raise MissingError(
            f"dataset: there is no folder {task.dataset_path or '/'} in the dataset's volume yet"
        )
    return root, None


def look_at(root: Path, alive: Callable[[], object] = lambda: None) -> tuple[Dataset, Inspection]:
    """What it consists of, and what is in that; the log says how much.

    Args:
        root: the folder of data.yaml.
        alive: as above.

    Raises:
        InvalidError: as `read_dataset` and `inspect`.
        MissingError: there is no data.yaml yet.
    """
    started = time.monotonic()
    dataset = read_dataset(root)
    inspection = inspect(dataset, alive)
    logger.info(
        "dataset: %s pictures, %s boxes, %d classes; digest %s (%.1f s)",
        _counts(inspection.pictures),
        _counts(inspection.boxes),
        len(dataset.names),
        inspection.digest,
        time.monotonic() - started,
    )
    return dataset, inspection


def _counts(counts: Mapping[str, int]) -> str:
    return " + ".join(f"{count} {split}" for split, count in sorted(counts.items()))
