"""A run's folder that is kept in a store: fetched before an attempt, uploaded while it lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from sealyard.api.tasks import TrainTask
from sealyard.delivery.workspace_store import open_workspace
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.done import parse_requested_at
from sealyard.jobs.lock import pod_uid
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.uploader import Uploader
from sealyard.jobs.workspace import read_record
from sealyard_trainer.checkpoints import parse_record, record_epoch
from sealyard_trainer.dataset_lock import LOCK_FILE, is_pinned, read_lock
from sealyard_trainer.liveness import so_far, telling
from sealyard_trainer.run_folder import CHECKPOINTS, RunFolder

logger = logging.getLogger(__name__)


@contextmanager
def kept(task: TrainTask, mounts: Mounts, folder: RunFolder) -> Iterator[None]:
    """While the block lasts the run's folder has what is in the store, and the other way round.

    Where the workspace is a volume, it is that by itself.

    Raises:
        UnavailableError, RefusedError, MissingError: as the store says; at its end only if what the
            block made is not there.
        IntegrityError: what is in the store is not what was uploaded.
        Interrupted: as the block; it says what is not in the store.
    """
    if task.workspace is None:
        yield
        return
    with open_workspace(task.workspace, mounts) as store:
        mirror = Mirror(store, task.run_path, folder.path, pod_uid())
        began = time.monotonic()
        mirror.take()
        with telling(task, mounts.progress_token, so_far(task, _epochs(task, mirror, folder))):
            fetched = restore(mirror, folder)
        seconds = time.monotonic() - began
        logger.info("fetched %.1f MB in %.2f s from %s", fetched / 1e6, seconds, mirror.name)
        with Uploader(mirror, select=folder.lasting, marker=folder.milestone, copy=folder.path):
            yield


def _epochs(task: TrainTask, mirror: Mirror, folder: RunFolder) -> int:
    """How many epochs this run has in the store; what an earlier life of it left is not counted."""
    mirror.fetch(mirror.files.keys() & {LOCK_FILE})
    requested_at = parse_requested_at(task.requested_at)
    if not is_pinned(read_lock(folder.path), owner_uid=task.owner.uid, requested_at=requested_at):
        return 0
    return max((record_epoch(path) for path in _records(mirror)), default=0)


def restore(mirror: Mirror, folder: RunFolder) -> int:
    """Fetch what an attempt goes on with: of checkpoints the newest that is whole. Gives its bytes.

    Raises:
        SealyardError: as `Mirror.fetch`; a checkpoint that is not whole is passed over.
    """
    others = {path for path in mirror.files if not path.startswith(f"{CHECKPOINTS}/")}
    mirror.fetch(sorted(others))
    wanted = list(others)
    for record in _records(mirror):
        try:
            wanted += _fetch_checkpoint(mirror, folder, record)
        except (MissingError, IntegrityError, ValidationError) as error:
            logger.warning("%s is not whole, the one before is used: %s", record, error)
            (folder.path / record).unlink(missing_ok=True)
        else:
            break
    objects = {mirror.files[path].object: mirror.files[path].size_bytes for path in wanted}
    return sum(objects.values())


def _records(mirror: Mirror) -> list[str]:
    """Those of all checkpoints in the store, the newest first."""
    found = (path for path in mirror.files if path.startswith(f"{CHECKPOINTS}/"))
    return sorted((path for path in found if path.endswith(".json")), reverse=True)


def _fetch_checkpoint(mirror: Mirror, folder: RunFolder, record: str) -> list[str]:
    mirror.fetch([record])
    found = parse_record(read_record(folder.path / record))
    names = dict.fromkeys((found.last.name, found.best.name))
    files = [f"{CHECKPOINTS}/{name}" for name in names]
    mirror.fetch(files)
    return [record, *files]
