"""A release's folder that is kept in a store: the exports are fetched, the record is uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sealyard.api.answers import TidyResult
from sealyard.api.tasks import PublishTask, RemoteFolder
from sealyard.delivery.record import RECORD_FILE
from sealyard.delivery.workspace_store import open_workspace
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mirror import Mirror, delete_folder
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.object_store import ObjectStore
from sealyard.jobs.workspace import below


class Held(Protocol):
    """A release's folder that this pod has taken."""

    def check(self) -> None:
        """Go on only while the folder is still this pod's."""

    def keep(self) -> None:
        """Let the record outlive the pod as it is now."""


class _Volume:
    """In a volume, what is written stays."""

    def __init__(self, folder: Path) -> None:
        lock = WorkspaceLock(folder, pod_uid())
        lock.take()
        self.check = lock.check

    def keep(self) -> None:
        pass


class _Store:
    """In a store, the record is uploaded at each step."""

    def __init__(self, store: ObjectStore, key: str, folder: Path) -> None:
        self._mirror = Mirror(store, key, folder, pod_uid())
        self._mirror.take()
        self._mirror.fetch(self._mirror.files)
        self._record = folder / RECORD_FILE
        self.check = self._mirror.check

    def keep(self) -> None:
        self._mirror.push(lambda: [RECORD_FILE] if self._record.exists() else [])


@contextmanager
def kept(task: PublishTask, mounts: Mounts, folder: Path) -> Iterator[Held]:
    """Before the block the copy has the exports and the record of what was published of them.

    Raises:
        UnavailableError, RefusedError, MissingError, IntegrityError: as the store says.
    """
    if task.workspace is None:
        yield _Volume(folder)
        return
    with open_workspace(task.workspace, mounts) as store:
        for exported in task.variants:
            key, _, name = exported.path.rpartition("/")
            export = Mirror(store, key, below(mounts.workspace, key), "")
            export.read()
            export.fetch([name])
        yield _Store(store, task.release_path, folder)


def tidy_store(remote: RemoteFolder, mounts: Mounts, key: str) -> TidyResult:
    """Delete everything below a key.

    Raises:
        UnavailableError, RefusedError, MissingError: as the store says.
    """
    with open_workspace(remote, mounts) as store:
        sizes = list(delete_folder(store, key))
    return TidyResult(files=len(sizes), bytes=sum(sizes))
