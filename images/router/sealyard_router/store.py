"""Where annotations are filed: what a bucket and a volume have in common.

`sealyard.delivery.object_folder.ObjectFolder` is the one, `volume.Volume` the other. What is put or
copied before something is created is there if that is there, whatever crashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from sealyard.delivery.http import Buffer


class Store(Protocol):
    """Files by key. Safe to use from many threads.

    Every method may raise:
        UnavailableError: it cannot be reached, or fails; StorageFullError: it has no room.
        RefusedError, MissingError: it refuses the credential, or is not there at all.
    """

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def put(self, key: str, content: Buffer) -> None:
        """Write a file, whole or not at all, whatever was there before."""

    def create(self, key: str, content: Buffer) -> bool:
        """Write a file unless there is one of this key; False if there is."""

    def put_pieces(self, key: str, pieces: Iterable[bytes]) -> None:
        """Write a file of any length, whole or not at all."""

    def copy(self, source: str, target: str) -> None:
        """Give a file a second key.

        Raises:
            NoObjectError: there is no file `source`.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files, of which some may be gone already."""

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, a folder, and come after `after`, in order."""

    def read(self, key: str, most: int) -> bytes:
        """The content of a file that is not longer than `most`.

        Raises:
            NoObjectError: there is none.
        """

    def pieces(self, key: str) -> Iterator[bytes]:
        """The content of a file of any length.

        Raises:
            NoObjectError: there is none.
        """
