"""`sealing.layout.Reader` of a file and of an object on the CDN."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sealyard.delivery.cdn import Cdn
from sealyard.errors import MissingError
from sealyard.sealing.layout import Reader

BLOCK_BYTES: Final = 8 << 20
_BLOCKS_KEPT: Final = 3
_HASHED_AT_ONCE: Final = 1 << 20


class FileReader:
    """A file, by `pread`: the same file to the end, whatever is renamed over its name.

    Args:
        descriptor: open for reading; closed with the reader.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, path: Path) -> Self:
        """The file of this name, which must not be a symbolic link.

        Raises:
            MissingError: it is not there, or cannot be read.
        """
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
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
    for offset in range(0, reader.size, _HASHED_AT_ONCE):
        digest.update(reader.read_at(offset, _HASHED_AT_ONCE))
    return digest.hexdigest()


class ObjectReader:
    """An object on the CDN, by ranged requests of one block each, one ahead of the reader.

    Keeps three blocks in memory, so that reading in order asks for each byte once. Safe to use
    from many threads.

    Args:
        cdn: with a credential that may read.
        key: the object's key.
        block_bytes: how much is asked for at once.

    Raises:
        MissingError: there is no such object.
    """

    def __init__(self, cdn: Cdn, key: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._cdn = cdn
        self._key = key
        self._block_bytes = block_bytes
        self.size, first = cdn.open(key, block_bytes=block_bytes)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fetch")
        begin: Future[bytes] = Future()
        begin.set_result(first)
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict({0: begin})

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes of a range, or fewer at the object's end."""
        end = min(offset + length, self.size)
        pieces = []
        while offset < end:
            index, start = divmod(offset, self._block_bytes)
            piece = self._block(index)[start : start + end - offset]
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Stop fetching. What is under way is waited for."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _block(self, index: int) -> memoryview:
        with self._lock:
            wanted = self._ask(index)
            if (index + 1) * self._block_bytes < self.size:
                self._ask(index + 1)
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return memoryview(wanted.result())

    def _ask(self, index: int) -> Future[bytes]:
        future = self._blocks.get(index)
        if future is None:
            offset = index * self._block_bytes
            length = min(self._block_bytes, self.size - offset)
            future = self._pool.submit(self._cdn.read, self._key, offset, length, size=self.size)
            self._blocks[index] = future
        self._blocks.move_to_end(index)
        return future
