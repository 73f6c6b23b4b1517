"""Brings a dataset from an S3-compatible store into the workspace, before anything looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from sealyard_trainer.fetch_watch import FetchWatch, amount
from sealyard_trainer.room import Room


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
        watch = FetchWatch(alive)
        download = FolderDownload(bucket, folder, objects, fetched=watch.fetched)
        room = Room(mounts.workspace, cache_bytes)
        fetch = partial(_fetch, download, remote, room)
        fetch({DATA_FILE})
        description = read_data_yaml(download.files)
        lists = lists_of(description, splits, objects.keys())
        fetch(lists)
        lines = {path: _lines(download.files / path) for path in lists}
        files = {DATA_FILE, *files_of(description, splits, objects.keys(), lines)}
        download.keep_only(files)
        missing = download.missing(files)
        watch.begin(len(files), len(missing), sum(objects[path].size for path in missing))
        fetch(files)
        watch.end()
    return download.files


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


def _fetch(download: FolderDownload, remote: RemoteFolder, room: Room, files: set[str]) -> None:
    """All of them, or none: half a dataset in a full workspace helps nobody."""
    wanted, free = download.missing_bytes(files), room.within(download.free_bytes())
    if wanted > free:
        raise MissingError(
            f"dataset: {_uri(remote)} needs {amount(wanted)} more and the workspace has "
            f"{amount(free)} free; {room.advice}"
        )
    download.fetch(files)


def _lines(path: Path) -> list[str]:
    """The lines of a list, as far as they can be read: whoever reads the dataset says the rest."""
    return read_record(path, MAX_LIST_BYTES).decode("utf-8-sig", "replace").splitlines()


def _uri(remote: RemoteFolder) -> str:
    return f"s3://{remote.bucket}/{remote.prefix}"
