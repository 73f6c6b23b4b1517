"""Bytes on their way up: written at any offset by several threads, handed on in parts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sealyard.errors import IntegrityError

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(slots=True)
class Part:
    """One part that is being filled, or is whole.

    Attributes:
        number: from 1, as S3 counts.
        content: its bytes; a view of `buffer`.
        buffer: where they are.
        missing: how many bytes are not written yet.
    """

    number: int
    content: memoryview
    buffer: bytearray
    missing: int

    @property
    def body(self) -> bytearray:
        """Its bytes as an S3 client takes them, which no view is; only the last part is copied."""
        whole = len(self.content) == len(self.buffer)
        return self.buffer if whole else bytearray(self.content)


class Parts:
    """Collects bytes into parts of one length, the last one shorter, in bounded memory.

    Writers come from several threads and about in order: while `at_once` parts are in hand, a
    writer that would begin another one waits until one is given back. The last part is handed on
    by `close` only, so that whatever is checked at the end is checked before a store has all.

    Args:
        size: how many bytes there are in all.
        part_bytes: of each part.
        at_once: how many parts there are at a time; more than there are writers.
        hand_on: takes a part that is whole, in the thread of the writer that filled it; it is
            given back with `give_back`.
    """

    def __init__(
        self, size: int, part_bytes: int, *, at_once: int, hand_on: Callable[[Part], object]
    ) -> None:
        self._size = size
        self._part_bytes = part_bytes
        self._buffer_bytes = min(part_bytes, size)
        self._last = max(0, size - 1) // part_bytes
        self._hand_on = hand_on
        self._free: list[bytearray] = []
        self._unused = at_once
        self._filling: dict[int, Part] = {}
        self._held: Part | None = None
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def write(self, offset: int, data: Buffer) -> None:
        """Put bytes in their place, each of them once.

        Raises:
            IntegrityError: they do not lie in the size that was announced.
            BaseException: what `fail` was told.
        """
        view = memoryview(data)
        if offset + len(view) > self._size:
            raise IntegrityError(f"big part: more than the {self._size} bytes that were announced")
        while view:
            index, start = divmod(offset, self._part_bytes)
            part = self._part(index)
            taken = view[: len(part.content) - start]
            part.content[start : start + len(taken)] = taken
            self._written(index, part, len(taken))
            offset += len(taken)
            view = view[len(taken) :]

    def close(self) -> None:
        """Hand on the last part.

        Raises:
            IntegrityError: not all bytes were written.
        """
        if self._held is None or self._filling:
            raise IntegrityError(f"big part: fewer than the {self._size} bytes that were announced")
        part, self._held = self._held, None
        self._hand_on(part)

    def give_back(self, part: Part) -> None:
        """Let the memory of a part be used for another one."""
        with self._changed:
            self._free.append(part.buffer)
            self._unused += 1
            self._changed.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Every write from now on, and every one that waits, raises this; the first one counts."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what `fail` was told, if it was."""
        if self._failure is not None:
            raise self._failure

    def _part(self, index: int) -> Part:
        with self._changed:
            self.check()
            while index not in self._filling and not self._unused:
                self._changed.wait()
                self.check()
            if index not in self._filling:
                self._unused -= 1
                buffer = self._free.pop() if self._free else bytearray(self._buffer_bytes)
                length = min(self._part_bytes, self._size - index * self._part_bytes)
                content = memoryview(buffer)[:length]
                self._filling[index] = Part(index + 1, content, buffer, length)
            return self._filling[index]

    def _written(self, index: int, part: Part, length: int) -> None:
        with self._changed:
            part.missing -= length
            if part.missing:
                return
            del self._filling[index]
            if index == self._last:
                self._held = part
                return
        self._hand_on(part)
