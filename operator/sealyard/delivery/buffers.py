"""Memory that is used again and again, where the kernel copies fast."""

from __future__ import annotations

import mmap
from collections import deque


class Buffers:
    """Buffers of one size. Safe to use from many threads.

    A fresh buffer costs about as much as hashing what is in it: every page of it must be faulted
    in. One that does not begin at a page is filled three times slower on some processors, and
    neither `bytes` nor `bytearray` does.

    It never waits: whoever takes buffers bounds how many there are.

    Args:
        size: of each, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: deque[memoryview] = deque()

    def take(self) -> memoryview:
        """One that nobody uses; a new one if there is none."""
        try:
            return self._free.pop()
        except IndexError:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            return memoryview(mmap.mmap(-1, self._size, flags=flags))

    def give_back(self, buffer: memoryview) -> None:
        """Let it be used again: the whole of what `take` gave."""
        self._free.append(buffer)
