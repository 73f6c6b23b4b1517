"""What an AnnotationRoute has filed, as a reader sees it: in a bucket, or in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from sealyard.delivery.bucket import Bucket
from sealyard.delivery.buffers import Buffers
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import COPY_BYTES, below, open_file

MAX_DOCUMENT_BYTES: Final = 1 << 30
"""Of a journal entry or a checkpoint: of some hundred thousand items."""
_RANGE_BYTES: Final = 8 << 20


class AnnotationStorage(Protocol):
    """Reads objects by their keys (`annotations.layout`). Safe to use from many threads."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def keys(self, prefix: str) -> list[str]:
        """Those that begin with a prefix that ends with a slash, in order.

        Raises:
            UnavailableError, RefusedError: as the store says.
            MissingError: there is no such bucket.
        """

    def read(self, key: str) -> bytes:
        """A whole document.

        Raises:
            MissingError: it is not there.
            IntegrityError: it is larger than any of ours.
            UnavailableError, RefusedError: as the store says.
        """

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        """The hex SHA-256 of an object of `size` bytes, once it is in `file`.

        Raises:
            MissingError: it is not there.
            IntegrityError: it has another size.
            UnavailableError, RefusedError: as the store says.
        """


class BucketStorage:
    """In a bucket.

    Args:
        bucket: with a credential that may list and read.
        prefix: what all keys begin with: empty, or with a slash at its end.
    """

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._buffers = Buffers(_RANGE_BYTES)

    @property
    def name(self) -> str:
        """The store, host and port."""
        return self._bucket.name

    def keys(self, prefix: str) -> list[str]:
        """As a listing shows them."""
        begin = len(self._prefix)
        return sorted(one.key[begin:] for one in self._bucket.objects(self._prefix + prefix))

    def read(self, key: str) -> bytes:
        """In ranges, all of one object."""
        content = bytearray()
        buffer = self._buffers.take()
        try:
            while True:
                size = self._bucket.read_range(self._prefix + key, len(content), buffer)
                if size > MAX_DOCUMENT_BYTES:
                    raise _too_large(key, size)
                content += buffer[: size - len(content)]
                if len(content) == size:
                    return bytes(content)
        finally:
            self._buffers.give_back(buffer)

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        """In ranges; whether they are of one object, its digest says."""
        digest = hashlib.sha256()
        buffer = self._buffers.take()
        try:
            for offset in range(0, size, _RANGE_BYTES):
                piece = buffer[: size - offset]
                if self._bucket.read_range(self._prefix + key, offset, piece) != size:
                    raise _other_size(key, size)
                digest.update(piece)
                file.write(piece)
        finally:
            self._buffers.give_back(buffer)
        return digest.hexdigest()


class FolderStorage:
    """In a folder of a volume; no link in it is followed out of it.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        """What the folder is."""
        return "annotations"

    def keys(self, prefix: str) -> list[str]:
        """The files of one folder."""
        folder = below(self._root, prefix)
        return sorted(f"{prefix}{path.name}" for path in _files(folder))

    def read(self, key: str) -> bytes:
        """All of a file."""
        try:
            with open_file(below(self._root, key)) as file:
                content = file.read(MAX_DOCUMENT_BYTES + 1)
        except OSError as error:
            raise self._unreadable(key, error) from error
        if len(content) > MAX_DOCUMENT_BYTES:
            raise _too_large(key, len(content))
        return content

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        """Block by block."""
        digest = hashlib.sha256()
        left = size
        try:
            reader = open_file(below(self._root, key))
        except OSError as error:
            raise self._unreadable(key, error) from error
        with reader:
            while block := reader.read(COPY_BYTES):
                left -= len(block)
                if left < 0:
                    break
                digest.update(block)
                file.write(block)
        if left:
            raise _other_size(key, size)
        return digest.hexdigest()

    def _unreadable(self, key: str, error: OSError) -> MissingError:
        return MissingError(f"{self.name}: {key} cannot be read ({error.strerror})")


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    except (FileNotFoundError, NotADirectoryError):
        return


def _too_large(key: str, size: int) -> IntegrityError:
    return IntegrityError(f"{key} has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read")


def _other_size(key: str, size: int) -> IntegrityError:
    return IntegrityError(f"{key} does not have the {size} bytes that its record says")
