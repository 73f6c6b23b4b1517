"""What an AnnotationRoute has filed, as a reader sees it: in a folder, or (`annotation_bucket`) in
a bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import COPY_BYTES, below, open_file

MAX_DOCUMENT_BYTES: Final = 1 << 30
"""Of a journal entry or a checkpoint: of some hundred thousand items."""


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
            raise too_large(key, len(content))
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
            raise other_size(key, size)
        return digest.hexdigest()

    def _unreadable(self, key: str, error: OSError) -> MissingError:
        return MissingError(f"{self.name}: {key} cannot be read ({error.strerror})")


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    except (FileNotFoundError, NotADirectoryError):
        return


def too_large(key: str, size: int) -> IntegrityError:
    """A document is longer than any of ours."""
    return IntegrityError(f"{key} has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read")


def other_size(key: str, size: int) -> IntegrityError:
    """A picture is another one than was filed."""
    return IntegrityError(f"{key} does not have the {size} bytes that its record says")
