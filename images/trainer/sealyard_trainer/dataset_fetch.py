"""Brings a dataset from an S3-compatible store into the workspace, before anything looks at it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteFolder
from sealyard.delivery.bucket import Bucket, ListedObject
from sealyard.delivery.folder_download import FolderDownload
from sealyard.delivery.object_paths import object_paths
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import read_record
from sealyard_trainer.data_yaml import DATA_FILE, MAX_BYTES, SPLITS, read_data_yaml
from sealyard_trainer.dataset import MAX_LIST_BYTES
from sealyard_trainer.dataset_selection import files_of, lists_of
from sealyard_trainer.faults import fail

LOGGED_EVERY_SECONDS = 10.0

logger = logging.getLogger(__name__)


def fetch_dataset(
    remote: RemoteFolder,
    mounts: Mounts,
    folder: Path,
    *,
    splits: Sequence[str] = SPLITS,
    alive: Callable[[], object] = lambda: None,
    cache_bytes: int | None = None,
) -> Path:
    """Fetch what is not there yet, and give the folder of data.yaml.

    Args:
        remote: where it lies.
        mounts: where its credential is.
        folder: takes it; what an earlier attempt left there is gone on with.
        splits: those that are wanted.
        alive: called after each file, and may end it by raising.
        cache_bytes: what everything in the workspace's volume may have, where that is a copy.

    Raises:
        InvalidError: a key is no path, or data.yaml breaks a rule.
        MissingError: the bucket, data.yaml or the credential is missing, or there is no room.
        UnavailableError: the store cannot be reached, or changed meanwhile.
        RefusedError: it refuses the credential.
        IntegrityError: bytes in the store are not what it says they are.
    """
    with open_bucket(remote, mounts) as bucket:
        objects = _objects(bucket, remote)
        watch = _Watch(alive)
        download = FolderDownload(bucket, folder, objects, fetched=watch.fetched)
        room = _Room(mounts.workspace, cache_bytes)
        fetch = partial(_fetch, download, remote, room)
        fetch({DATA_FILE})
        description = read_data_yaml(download.files)
        lists = lists_of(description, splits, objects.keys())
        fetch(lists)
        lines = {path: _lines(download.files / path) for path in lists}
        files = {DATA_FILE, *files_of(description, splits, objects.keys(), lines)}
        download.keep_only(files)
        watch.begin(files, objects, download.missing(files))
        fetch(files)
        watch.end()
    return download.files


class _Watch:
    """Says in the log how far it is."""

    def __init__(self, alive: Callable[[], object]) -> None:
        self._alive = alive
        self._all = (0, 0)
        self._began = self._said = time.monotonic()

    def begin(
        self, files: set[str], objects: Mapping[str, ListedObject], missing: set[str]
    ) -> None:
        """Before the pictures are fetched."""
        size = sum(objects[path].size for path in missing)
        self._all = len(missing), size
        self._began = self._said = time.monotonic()
        logger.info(
            "dataset: %d files are wanted, %d of them are there; fetching %s",
            len(files),
            len(files) - len(missing),
            _amount(size),
        )

    def fetched(self, files: int, size: int) -> None:
        """After a file."""
        self._alive()
        now = time.monotonic()
        if self._all[0] and now - self._said >= LOGGED_EVERY_SECONDS:
            self._said = now
            logger.info(
                "dataset: fetched %d of %d files, %s of %s",
                *(files, self._all[0], _amount(size), _amount(self._all[1])),
            )

    def end(self) -> None:
        """After the last one."""
        if self._all[0]:
            seconds = time.monotonic() - self._began
            logger.info("dataset: fetched %s in %.1f s", _amount(self._all[1]), seconds)


def open_bucket(remote: RemoteFolder, mounts: Mounts) -> Bucket:
    """The store of a dataset, with the credential that is mounted.

    Raises:
        MissingError: a key or the CA bundle is not there.
    """
    return Bucket(
        "dataset store",
        S3Place(remote.endpoint, remote.region, remote.bucket),
        SecretFiles.mounted(Purpose.DATASET, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / "dataset", remote.ca_bundle_name),
    )


def _objects(bucket: Bucket, remote: RemoteFolder) -> dict[str, ListedObject]:
    where = _uri(remote)
    try:
        objects = object_paths(remote.prefix, bucket.objects(remote.prefix))
    except InvalidError as error:
        raise InvalidError(f"dataset: {where}: {error}") from error
    if DATA_FILE not in objects:
        raise MissingError(
            f"dataset: there is no {DATA_FILE} in {where} yet ({len(objects)} objects are there); "
            "spec.dataset names the folder that it is in"
        )
    if objects[DATA_FILE].size > MAX_BYTES:
        fail(DATA_FILE, 0, f"it has more than {MAX_BYTES} bytes")
    return objects


@dataclass(frozen=True, slots=True)
class _Room:
    """How much a volume takes: what is free on it, and less where all of it has a limit."""

    volume: Path
    limit: int | None

    def within(self, free: int) -> int:
        if self.limit is None:
            return free
        used = sum(
            Path(folder, name).lstat().st_size
            for folder, _, names in os.walk(self.volume)
            for name in names
        )
        return min(free, max(self.limit - used, 0))

    @property
    def advice(self) -> str:
        if self.limit is None:
            return "enlarge the workspace's claim, or make room in it"
        return f"spec.workspace.s3.cacheSize is {_amount(self.limit)}, and more is wanted"


def _fetch(download: FolderDownload, remote: RemoteFolder, room: _Room, files: set[str]) -> None:
    """All of them, or none: half a dataset in a full workspace helps nobody."""
    wanted, free = download.missing_bytes(files), room.within(download.free_bytes())
    if wanted > free:
        raise MissingError(
            f"dataset: {_uri(remote)} needs {_amount(wanted)} more and the workspace has "
            f"{_amount(free)} free; {room.advice}"
        )
    download.fetch(files)


def _lines(path: Path) -> list[str]:
    """The lines of a list, as far as they can be read: whoever reads the dataset says the rest."""
    return read_record(path, MAX_LIST_BYTES).decode("utf-8-sig", "replace").splitlines()


def _uri(remote: RemoteFolder) -> str:
    return f"s3://{remote.bucket}/{remote.prefix}"


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
