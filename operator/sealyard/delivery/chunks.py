"""Bytes on their way, cut to the length that a store takes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import TypeAlias

from sealyard.errors import IntegrityError

Buffer: TypeAlias = bytes | bytearray | memoryview


class Buffers:
    """Buffers of one size, used again and again. From a heap each part would leave a hole.

    Args:
        size: of each, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: SimpleQueue[bytearray] = SimpleQueue()

    def take(self) -> bytearray:
        """One that nobody uses; a new one if there is none."""
        try:
            return self._free.get_nowait()
        except Empty:
            return bytearray(self.size)

    def give_back(self, buffer: bytearray) -> None:
        """Let it be used again; one that was shortened is let go."""
        if len(buffer) == self.size:
            self._free.put(buffer)


def filled(chunks: Iterable[Buffer], *, size: int, buffers: Buffers) -> Iterator[bytearray]:
    """The same bytes in parts, each a full buffer and the last one shorter.

    The last part comes only after `chunks` has ended without an error.

    Raises:
        IntegrityError: there are more or fewer bytes than `size`.
    """
    seen = used = 0
    part = buffers.take()
    for chunk in chunks:
        view = memoryview(chunk)
        seen += len(view)
        if seen > size:
            break
        while view:
            # A full part waits until there is more, so that the last one is held back.
            if used == buffers.size:
                yield part
                part, used = buffers.take(), 0
            taken = view[: buffers.size - used]
            part[used : used + len(taken)] = taken
            used += len(taken)
            view = view[len(taken) :]
    if seen != size:
        raise IntegrityError(f"big part: {seen} bytes came, {size} were announced")
    if used:
        del part[used:]
        yield part
