"""A folder of a volume as a store: flushed to the disk before what depends on it is created."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sealyard.delivery.http import Buffer
from sealyard.delivery.s3_requests import NoObjectError, StorageFullError
from sealyard.errors import MissingError, SealyardError, UnavailableError
from sealyard.jobs.storage import FULL, READ_ONLY
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, sync_folder

_PIECE_BYTES: Final = 1 << 20
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM}) | READ_ONLY


class Volume:
    """A folder that routers of one route write to; what else is in it is nobody's.

    Names of files reach the disk when something is created: a crash of the node may take away what
    came after, and never something that an entry of the journal tells of.

    Args:
        root: exists.
        source: what a user calls it in messages.
    """

    def __init__(self, root: Path, source: str) -> None:
        self._root = root
        self._source = source
        self._touched: set[Path] = set()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self._source

    def put(self, key: str, content: Buffer) -> None:
        """Write a file, whole or not at all, whatever was there before."""
        self.put_pieces(key, (content,))

    def put_pieces(self, key: str, pieces: Iterable[Buffer]) -> None:
        """Write a file of any length, whole or not at all."""
        with self._explained(key), self._written(key, pieces) as temporary:
            temporary.replace(self._root / key)
            self._touch((self._root / key).parent)

    def create(self, key: str, content: Buffer) -> bool:
        """Write a file unless there is one of this key; False if there is."""
        path = self._root / key
        with self._explained(key), self._written(key, (content,)) as temporary:
            self._sync()
            try:
                # Renaming would replace what is there.
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            sync_folder(path.parent)
        return True

    def copy(self, source: str, target: str) -> None:
        """Give a file a second name: files never change, so they may share their bytes.

        Raises:
            NoObjectError: there is no file `source`.
        """
        path = self._root / target
        with self._explained(source):
            self._make(path.parent)
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(self._root / source)
            self._touch(path.parent)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files, of which some may be gone already."""
        for key in keys:
            with self._explained(key):
                (self._root / key).unlink(missing_ok=True)

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, a folder, and come after `after`, in order."""
        with self._explained(prefix):
            try:
                names = [path.name for path in (self._root / prefix).iterdir()]
            except FileNotFoundError:
                return
        # Dots begin what was being written when its writer died.
        found = (f"{prefix}{name}" for name in names if not name.startswith("."))
        yield from sorted(key for key in found if key > after)

    def read(self, key: str, most: int) -> bytes:
        """The content of a file that is not longer than `most`.

        Raises:
            NoObjectError: there is none.
        """
        with self._explained(key), (self._root / key).open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise UnavailableError(f"{self._source}: {key} has more than {most} bytes")
        return content

    def pieces(self, key: str) -> Iterator[bytes]:
        """The content of a file of any length.

        Raises:
            NoObjectError: there is none.
        """
        with self._explained(key), (self._root / key).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def remove_temporaries(self, folders: Iterable[str], older_than: float) -> None:
        """Delete what writers that were killed left behind.

        Args:
            folders: where, by prefix.
            older_than: seconds since the epoch; what is younger may be somebody's who lives.
        """
        for folder in folders:
            with self._explained(folder):
                for path in (self._root / folder).glob(f".*{TEMPORARY_SUFFIX}"):
                    with contextlib.suppress(FileNotFoundError):
                        if path.stat().st_mtime < older_than:
                            path.unlink()

    @contextlib.contextmanager
    def _written(self, key: str, pieces: Iterable[Buffer]) -> Iterator[Path]:
        """A temporary file with these bytes, on the disk, beside the place of `key`."""
        path = self._root / key
        self._make(path.parent)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        try:
            with temporary.open("xb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        """Make a folder where it is missing."""
        # Who finds it there, finds it remembered.
        with self._lock:
            missing = [one for one in (folder, *folder.parents) if not one.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            self._touched.update(one.parent for one in missing)

    def _touch(self, folder: Path) -> None:
        """Remember that a name in a folder is not yet on the disk.

        Once it is there: all folders may have been flushed for something else meanwhile.
        """
        with self._lock:
            self._touched.add(folder)

    def _sync(self) -> None:
        with self._lock:
            folders, self._touched = self._touched, set()
        try:
            for folder in folders:
                sync_folder(folder)
        except OSError:
            with self._lock:
                self._touched |= folders
            raise

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._meaning(error, key) from error

    def _meaning(self, error: OSError, key: str) -> SealyardError:
        said = f"{self._source}: {key}: {error.strerror}"
        if error.errno in FULL:
            return StorageFullError(f"{self._source} is full ({error.strerror}); make room")
        if error.errno in _FORBIDDEN:
            return MissingError(f"{said}; user 65532 or its fsGroup must be allowed to write there")
        if error.errno == errno.ENOENT:
            return NoObjectError(f"{self._source}: there is no file {key}")
        return UnavailableError(said)
