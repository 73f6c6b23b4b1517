"""A user's own file, sealed to the device and opened on it; both appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sealyard.delivery.kept import explained, unnamed_file, write_at
from sealyard.delivery.readers import FileReader
from sealyard.errors import IntegrityError
from sealyard.sealing.layout import Range
from sealyard.sealing.resource import ResourceKeys, open_pieces, seal_pieces


def seal_local_file(keys: ResourceKeys, plaintext: Path, sealed: Path) -> None:
    """Seal a file, which stays as it is.

    Raises:
        MissingError: the file cannot be read, or the other not written.
        IntegrityError: it is no regular file.
    """
    with FileReader.open(plaintext) as reader:
        _write(sealed, seal_pieces(keys, reader.stream(Range(0, reader.size))))


def open_local_file(keys: ResourceKeys, sealed: Path, plaintext: Path) -> None:
    """Open a sealed file into another of mode 0600, which has a name once all of it was proven.

    Raises:
        MissingError: as `seal_local_file`.
        IntegrityError: it was sealed on another device, or its bytes changed.
    """
    failure: str | None = None
    with FileReader.open(sealed) as reader:
        try:
            _write(plaintext, open_pieces(keys, reader))
        except IntegrityError as error:
            failure = str(error)
    if failure is not None:
        raise IntegrityError(f"{sealed}: {failure}")


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with explained(path), unnamed_file(path) as descriptor:
        offset = 0
        for piece in pieces:
            write_at(descriptor, offset, piece)
            offset += len(piece)
