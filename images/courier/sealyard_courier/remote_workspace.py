"""A release's folder that is kept in a store: the exports are fetched, the record is uploaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sealyard.api.answers import TidyResult
from sealyard.api.tasks import PublishTask, RemoteFolder
from sealyard.delivery.record import RECORD_FILE
from sealyard.delivery.workspace_store import open_workspace
from sealyard.errors import SealyardError
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mirror import Mirror, delete_folder
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below

logger = logging.getLogger(__name__)


@contextmanager
def kept(task: PublishTask, mounts: Mounts, folder: Path) -> Iterator[Callable[[], None]]:
    """Before the block the copy has the exports and the record of what was published of them.

    Gives what goes on only while the folder is still this pod's. In a store that also uploads the
    record, so that one that is lost is older by one step; what was sealed with it is never sealed
    with the same key again, as whoever has no record makes a new one.

    Raises:
        UnavailableError, RefusedError, MissingError, IntegrityError: as the store says.
    """
    lock = WorkspaceLock(folder, pod_uid())
    lock.take()
    if task.workspace is None:
        yield lock.check
        return
    with open_workspace(task.workspace, mounts) as store:
        for exported in task.variants:
            key, _, name = exported.path.rpartition("/")
            export = Mirror(store, key, below(mounts.workspace, key), lock.holder)
            export.read()
            export.fetch([name])
        own = Mirror(store, task.release_path, folder, lock.holder)
        own.take()
        own.fetch(own.files)

        def upload() -> None:
            own.push(lambda: [RECORD_FILE] if (folder / RECORD_FILE).exists() else [])

        try:
            yield upload
        finally:
            try:
                upload()
            except SealyardError as error:
                logger.warning("%s; the next attempt begins where an earlier record ends", error)


def tidy_store(remote: RemoteFolder, mounts: Mounts, key: str) -> TidyResult:
    """Delete everything below a key.

    Raises:
        UnavailableError, RefusedError, MissingError: as the store says.
    """
    with open_workspace(remote, mounts) as store:
        sizes = list(delete_folder(store, key))
    return TidyResult(files=len(sizes), bytes=sum(sizes))
