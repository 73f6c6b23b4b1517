"""What a workspace in a store needs of that store, whoever speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """A small object, as it was read or written."""

    content: bytes
    etag: str
    """Another one as soon as anybody has written it."""


class ObjectStore(Protocol):
    """Objects by keys, which are paths below one folder of the store.

    Every method raises `UnavailableError` where the store cannot be reached or fails,
    `RefusedError` where it refuses the credential, and `MissingError` where there is no such
    bucket or credential.
    """

    @property
    def name(self) -> str:
        """What it is called in messages: what it is, host and port."""

    def read(self, key: str, most: int) -> Document | None:
        """A small object; None where there is none.

        Args:
            key: of the object.
            most: bytes that it may have.
        """

    def replace(self, key: str, content: bytes, etag: str | None) -> Document | None:
        """Write a small object if it still has this ETag, or if there is none and that is None.

        None where that is not so, and nothing was written.
        """

    def upload(
        self, key: str, file: BufferedReader, size: int, still_wanted: Callable[[], None]
    ) -> str:
        """The hex SHA-256 of an object that is there now, whole.

        Args:
            key: of an object that never was.
            file: has at least so many bytes.
            size: how many of them.
            still_wanted: called between its parts, and gives it up by raising.
        """

    def download(self, key: str, size: int, target: Path) -> str:
        """The hex SHA-256 of the file that an object of this size was written to.

        Raises:
            MissingError: there is no such object.
            IntegrityError: it has another size.
        """

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Every key that begins with this one, which ends in a slash, with its object's size."""

    def delete(self, key: str) -> None:
        """Delete an object, or find it deleted."""
