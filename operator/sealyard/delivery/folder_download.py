"""Objects as files of a folder: several at once, none twice, and none that is not as it was listed.

A download may die at any instruction. What it fetched stays, and a journal beside it says of each
file which object it was and what its bytes were; the next download believes neither before it has
hashed the file.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from sealyard.api.model import Model, Sha256
from sealyard.delivery.bucket import Bucket, ListedObject
from sealyard.delivery.buffers import Buffers
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError, MissingError, UnavailableError
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, hash_file, open_file, write_atomic

FILES: Final = "files"
JOURNAL: Final = "fetched.jsonl"
_WORKERS: Final = 16
"""A small file waits for the store more than for us."""
_AHEAD: Final = 64
_RANGE_BYTES: Final = 8 << 20
_BLOCK_BYTES: Final = 4096
_ATTEMPTS: Final = 2
_MD5: Final = re.compile(r'"([0-9a-f]{32})"')


class Fetched(Model):
    """A line of the journal: a file, and the object that it was."""

    path: str
    size: Annotated[int, Field(ge=0)]
    etag: str
    sha256: Sha256


class FolderDownload:
    """What of some objects lies in a folder, and what is still to be fetched.

    Args:
        bucket: with a credential that may read.
        folder: has the folder `files` and the journal; what is there and is not of these objects
            is deleted.
        objects: all that may be asked for, by the paths that they get.
        fetched: told after each file how many files and bytes came since the beginning of a
            `fetch`; none, while what is there already is hashed. What it raises ends the download.

    Raises:
        MissingError: the folder cannot be written to.
    """

    def __init__(
        self,
        bucket: Bucket,
        folder: Path,
        objects: Mapping[str, ListedObject],
        *,
        fetched: Callable[[int, int], object] = lambda _files, _bytes: None,
    ) -> None:
        self.files = folder / FILES
        self._bucket = bucket
        self._journal = folder / JOURNAL
        self._objects = objects
        self._fetched = fetched
        self._buffers = Buffers(_RANGE_BYTES)
        self._stopped = threading.Event()
        self._etags_are_md5 = True
        try:
            for one in (folder, self.files):
                _make(one)
            self._there = self._recorded()
            # Links before anything is hashed: what they lead to is nothing of ours.
            self.keep_only(objects)
            self.keep_only(self._whole())
        except OSError as error:
            raise self._unwritable(error) from error

    def missing(self, paths: Collection[str]) -> set[str]:
        """Those of them that are not there yet."""
        return set(paths) - self._there.keys()

    def missing_bytes(self, paths: Collection[str]) -> int:
        """How much room those of them take that are not there yet."""
        sizes = (self._objects[path].size for path in self.missing(paths))
        return sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES for size in sizes)

    def free_bytes(self) -> int:
        """How much room the folder's volume has."""
        return shutil.disk_usage(self.files).free

    def fetch(self, paths: Collection[str]) -> None:
        """Fetch those of them that are not there yet.

        Raises:
            IntegrityError: an object's bytes differ each time, and never are those of its ETag.
            UnavailableError, RefusedError: as the store says.
            MissingError: an object is gone, or the folder takes no more.
        """
        wanted = sorted(self.missing(paths))
        files = size = 0
        self._stopped.clear()
        try:
            with self._journal.open("a", encoding="utf-8") as journal:
                for one in in_threads(
                    lambda number: self._file(wanted[number]),
                    len(wanted),
                    workers=_WORKERS,
                    ahead=_AHEAD,
                    leaving=self._stopped.set,
                ):
                    self._there[one.path] = one
                    journal.write(_line(one))
                    # For whoever goes on if this process dies; a disk that loses it loses no more.
                    journal.flush()
                    files, size = files + 1, size + one.size
                    self._fetched(files, size)
        except OSError as error:
            raise self._unwritable(error) from error

    def keep_only(self, paths: Collection[str]) -> None:
        """Delete every file that is not among these paths, and whatever else there is."""
        self._there = {path: one for path, one in self._there.items() if path in paths}
        # The journal first: it must not tell of a file that is about to go.
        write_atomic(self._journal, "".join(map(_line, self._there.values())).encode())
        for folder, folders, names in os.walk(self.files, topdown=False):
            for name in names:
                path = Path(folder, name)
                if path.relative_to(self.files).as_posix() not in self._there:
                    path.unlink()
            for name in folders:
                path = Path(folder, name)
                if path.is_symlink():
                    path.unlink()
                elif not any(path.iterdir()):
                    path.rmdir()

    def _whole(self) -> set[str]:
        """Of what is recorded, the files that still hold what they did."""
        recorded = list(self._there.values())

        def is_whole(number: int) -> bool:
            one = recorded[number]
            try:
                digest = hash_file(self.files / one.path)
            except (OSError, IntegrityError):
                return False
            return (digest.sha256, digest.size_bytes) == (one.sha256, one.size)

        found = set()
        for one, whole in zip(recorded, in_threads(is_whole, len(recorded)), strict=True):
            self._fetched(0, 0)
            if whole:
                found.add(one.path)
        return found

    def _recorded(self) -> dict[str, Fetched]:
        """What the journal says of objects that are still as they were."""
        recorded = {}
        try:
            with open_file(self._journal) as file:
                for line in file:
                    try:
                        one = Fetched.model_validate_json(line)
                    except ValidationError:
                        continue  # the last line of a process that died
                    listed = self._objects.get(one.path)
                    if listed and (listed.size, listed.etag) == (one.size, one.etag):
                        recorded[one.path] = one
        except FileNotFoundError:
            pass
        except IntegrityError:
            self._journal.unlink()
        return recorded

    def _file(self, path: str) -> Fetched:
        listed = self._objects[path]
        place = self.files / path
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        came: set[str] = set()
        try:
            for _ in range(_ATTEMPTS):
                sha256, md5 = self._write(listed, part)
                stated = _MD5.fullmatch(listed.etag) if self._etags_are_md5 else None
                if sha256 in came:
                    # The same bytes twice, on two connections: what a store has that encrypts with
                    # keys of its own looks like an MD5, and is none.
                    self._etags_are_md5 = False
                elif stated is not None and md5 != stated[1]:
                    came.add(sha256)
                    continue
                part.replace(place)
                return Fetched(path=path, size=listed.size, etag=listed.etag, sha256=sha256)
        finally:
            part.unlink(missing_ok=True)
        raise IntegrityError(
            f"{self._bucket.name}: {listed.key} came with other bytes each time, and never with "
            f"those of its ETag {listed.etag}"
        )

    def _write(self, listed: ListedObject, part: Path) -> tuple[str, str]:
        """The hex SHA-256 and MD5 of what is now in the file `part`."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        buffer = self._buffers.take()
        try:
            with part.open("wb") as file:
                for offset in range(0, listed.size, _RANGE_BYTES):
                    if self._stopped.is_set():
                        raise UnavailableError("the download was stopped")
                    piece = buffer[: listed.size - offset]
                    self._bucket.read_into(listed, offset, piece)
                    sha256.update(piece)
                    md5.update(piece)
                    file.write(piece)
        finally:
            self._buffers.give_back(buffer)
        return sha256.hexdigest(), md5.hexdigest()

    def _unwritable(self, error: OSError) -> MissingError:
        return MissingError(f"{self.files} takes no more files ({error.strerror})")


def _make(folder: Path) -> None:
    """A folder that is none of somebody else's: what lies below it will be deleted."""
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _line(fetched: Fetched) -> str:
    return f"{fetched.model_dump_json(by_alias=True)}\n"
