"""A run's folder that is kept in a store: fetched before an attempt, uploaded while it lasts."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from sealyard.api.tasks import TrainTask
from sealyard.delivery.workspace_store import open_workspace
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.lock import pod_uid
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.process import interrupt_on
from sealyard.jobs.uploader import Uploader
from sealyard.jobs.workspace import read_record
from sealyard_trainer.checkpoints import parse_record
from sealyard_trainer.processes import INTERRUPTED
from sealyard_trainer.run_folder import CHECKPOINTS, RunFolder

GRACE_SECONDS = 100.0
"""From SIGTERM to the end, the last upload included; the pod has 120."""

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
        fetched = restore(mirror, folder)
        seconds = time.monotonic() - began
        logger.info("fetched %.1f MB in %.2f s from %s", fetched / 1e6, seconds, mirror.name)
        interrupt_on({signal.SIGTERM: INTERRUPTED}, grace_seconds=GRACE_SECONDS)
        with Uploader(mirror, select=folder.lasting, marker=folder.milestone, copy=folder.path):
            yield


def restore(mirror: Mirror, folder: RunFolder) -> int:
    """Fetch what an attempt goes on with: of checkpoints the newest that is whole. Gives its bytes.

    Raises:
        SealyardError: as `Mirror.fetch`; a checkpoint that is not whole is passed over.
    """
    checkpoints = {path for path in mirror.files if path.startswith(f"{CHECKPOINTS}/")}
    others = mirror.files.keys() - checkpoints
    mirror.fetch(sorted(others))
    records = sorted((path for path in checkpoints if path.endswith(".json")), reverse=True)
    wanted = list(others)
    for record in records:
        try:
            wanted += _fetch_checkpoint(mirror, folder, record)
        except (MissingError, IntegrityError, ValidationError) as error:
            logger.warning("%s is not whole, the one before is used: %s", record, error)
            (folder.path / record).unlink(missing_ok=True)
        else:
            break
    objects = {mirror.files[path].object: mirror.files[path].size_bytes for path in wanted}
    return sum(objects.values())


def _fetch_checkpoint(mirror: Mirror, folder: RunFolder, record: str) -> list[str]:
    mirror.fetch([record])
    found = parse_record(read_record(folder.path / record))
    names = dict.fromkeys((found.last.name, found.best.name))
    files = [f"{CHECKPOINTS}/{name}" for name in names]
    mirror.fetch(files)
    return [record, *files]
