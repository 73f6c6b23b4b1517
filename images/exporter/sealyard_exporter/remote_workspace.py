"""An export's folder that is kept in a store, and what it reads of the run's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sealyard.api.tasks import ExportTask
from sealyard.delivery.workspace_store import open_workspace
from sealyard.jobs.lock import pod_uid
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.uploader import Uploader
from sealyard.jobs.workspace import below
from sealyard_trainer.dataset_lock import LOCK_FILE

FLUSH_SECONDS = 8.0
"""Of an export that was interrupted only what it began with is left to be told."""


@contextmanager
def kept(
    task: ExportTask, mounts: Mounts, folder: Path, select: Callable[[], Collection[str]]
) -> Iterator[None]:
    """Before the block the copy has what an export needs; what `select` gives is in the store after
    it. Where the workspace is a volume, there is nothing to do.

    Raises:
        UnavailableError, RefusedError: as the store says.
        MissingError: the run's folder has not what it should have.
        IntegrityError: what is in the store is not what was uploaded.
        Interrupted: as the block, or another pod has taken the folder.
    """
    if task.workspace is None:
        yield
        return
    with open_workspace(task.workspace, mounts) as store:
        run = Mirror(store, task.run_path, below(mounts.workspace, task.run_path), pod_uid())
        run.read()
        run.fetch([LOCK_FILE, task.checkpoint_path.removeprefix(f"{task.run_path}/")])
        key = folder.relative_to(mounts.workspace.resolve()).as_posix()
        own = Mirror(store, key, folder, pod_uid())
        own.take()
        own.fetch(own.files)
        with Uploader(own, select=select, marker=lambda: None, copy=folder, flush=FLUSH_SECONDS):
            yield
