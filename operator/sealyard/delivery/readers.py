"""Where sealed bytes come from: a file, or an object on the CDN."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sealyard.delivery.buffers import Buffers
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.threads import in_threads
from sealyard.errors import MissingError
from sealyard.jobs.workspace import open_file
from sealyard.sealing.layout import Range, Reader


class Source(Reader, Protocol):
    """A `Reader` that can also fill a buffer of the caller's."""

    @property
    def at_once(self) -> int:
        """About how many bytes are best asked for at once."""

    @property
    def in_flight(self) -> int | None:
        """How many such requests are best made at a time; None: one for each core."""

    def read_into(self, offset: int, out: memoryview) -> int:
        """Fill `out` with the bytes from `offset` on; returns how many there were before the end.

        Called from several threads at once.
        """


class FileReader:
    """A file, by `pread`: the same file to the end, whatever is renamed over its name.

    Args:
        descriptor: open for reading; closed with the reader.
    """

    at_once: int = 1 << 20
    in_flight: int | None = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, path: Path) -> Self:
        """The file of this name, which must be a regular one.

        Raises:
            MissingError: it is not there, or cannot be read.
            IntegrityError: it is something else, such as a link or a pipe.
        """
        try:
            with open_file(path) as file:
                return cls(os.dup(file.fileno()))
        except OSError as error:
            raise MissingError(f"{path}: cannot be read ({error.strerror})") from None

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes of a range, or fewer at the file's end."""
        return os.pread(self._descriptor, length, offset)

    def read_into(self, offset: int, out: memoryview) -> int:
        """Fill `out` with the bytes from `offset` on; returns how many there were before the end.

        A buffer that is used again costs no page faults, unlike the bytes of `read_at`.
        """
        done = 0
        while done < len(out):
            read = os.preadv(self._descriptor, [out[done:]], offset + done)
            if not read:
                break
            done += read
        return done

    def stream(self, wanted: Range) -> Iterator[memoryview]:
        """The bytes of a range in order, all in one buffer; fewer where the file ends early."""
        offset, left = wanted
        out = Buffers(self.at_once).take()
        while left:
            piece = out[: self.read_into(offset, out[:left])]
            if not piece:
                return
            yield piece
            offset += len(piece)
            left -= len(piece)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def digest_of(reader: Reader) -> str:
    """The hex SHA-256 of all that a reader has."""
    digest = hashlib.sha256()
    for piece in reader.stream(Range(0, reader.size)):
        digest.update(piece)
    return digest.hexdigest()


class ObjectReader:
    """An object on the CDN: one request for each range, nothing kept. Safe for many threads.

    Args:
        cdn: with a credential that may read.
        key: the object's key.
        size: how long it must be; every answer says how long it is.
    """

    # As long as a part of an upload: stores keep what came together together.
    at_once: int = 8 << 20
    in_flight: int | None = 3

    def __init__(self, cdn: Cdn, key: str, size: int) -> None:
        self._cdn = cdn
        self._key = key
        self.size = size

    def read_into(self, offset: int, out: memoryview) -> int:
        """Fill `out` with the bytes from `offset` on; returns how many there were before the end.

        Raises:
            IntegrityError: the object has another size.
            MissingError, UnavailableError, RefusedError: as the CDN says.
        """
        out = out[: max(0, self.size - offset)]
        if out:
            self._cdn.read_into(self._key, offset, out, size=self.size)
        return len(out)

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes of a range, or fewer at the object's end.

        Raises:
            IntegrityError, MissingError, UnavailableError, RefusedError: as `read_into`.
        """
        buffer = bytearray(min(length, max(0, self.size - offset)))
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def stream(self, wanted: Range) -> Iterator[memoryview]:
        """The bytes of a range in order, with several requests in flight.

        Raises:
            IntegrityError, MissingError, UnavailableError, RefusedError: as `read_into`.
        """
        buffers = Buffers(self.at_once)

        def fetch(number: int) -> tuple[memoryview, memoryview]:
            buffer, start = buffers.take(), number * self.at_once
            out = buffer[: wanted.length - start]
            return buffer, out[: self.read_into(wanted.offset + start, out)]

        requests = -(-wanted.length // self.at_once)
        for buffer, piece in in_threads(fetch, requests, workers=self.in_flight):
            yield piece
            buffers.give_back(buffer)
