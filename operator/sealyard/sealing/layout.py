"""Where the bytes of a sealed artifact lie, and the seam through which they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from sealyard.errors import IntegrityError

Buffer: TypeAlias = bytes | bytearray | memoryview
Random: TypeAlias = Callable[[int], bytes]

SEGMENT_BYTES = 1 << 20
MAX_PLAINTEXT_BYTES = 1 << 40


class Range(NamedTuple):
    """`length` bytes from `offset` on."""

    offset: int
    length: int


class Reader(Protocol):
    """Positional reads of something whose size is known: a file by `pread`, an object by ranges."""

    @property
    def size(self) -> int:
        """All bytes that there are."""

    def read_at(self, offset: int, length: int) -> Buffer:
        """Exactly `length` bytes from `offset`, or fewer where the source ends early.

        Called from several threads at once if the caller opens or seals so.
        """

    def stream(self, wanted: Range) -> Iterator[Buffer]:
        """The bytes of a range in order, in pieces of any length; fewer where the source ends.

        Each piece holds its bytes only until the next one is asked for.
        """


@dataclass(frozen=True, slots=True)
class BytesReader:
    """A `Reader` of bytes in memory."""

    data: Buffer

    @property
    def size(self) -> int:
        """All bytes that there are."""
        return len(self.data)

    def read_at(self, offset: int, length: int) -> Buffer:
        """A view of the bytes, not a copy."""
        return memoryview(self.data)[offset : offset + length]

    def stream(self, wanted: Range) -> Iterator[Buffer]:
        """All of the range in one piece."""
        yield self.read_at(*wanted)


def read_exactly(reader: Reader, wanted: Range, what: str) -> Buffer:
    """The bytes of a range.

    Raises:
        IntegrityError: the source gave fewer or more.
    """
    got = reader.read_at(wanted.offset, wanted.length)
    if len(got) != wanted.length:
        raise IntegrityError(
            f"{what}: {len(got)} bytes at offset {wanted.offset}, expected {wanted.length}"
        )
    return got


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The sizes and segments of one sealed artifact; known from the plaintext's length alone.

    big = sealed segments in order ‖ trailer. Segment i of the plaintext becomes segment i of big.

    Attributes:
        plaintext_bytes: length of what is sealed.
        small_bytes: length of the small part.
        big_bytes: length of the big part, trailer included.
        segments: how many; at least one, also for empty plaintext.
        trailer_bytes: what follows the segments in big (the leaves of sealed-v2).
    """

    plaintext_bytes: int
    small_bytes: int
    big_bytes: int
    segments: int
    trailer_bytes: int = 0
    # Segment i > 0 begins in big at i * stride + shift, and is read with `overlap` bytes before it.
    stride: int
    shift: int = 0
    overlap: int = 0

    @property
    def buffer_bytes(self) -> int:
        """A buffer of this size is large enough as `out` of any segment, sealing or opening.

        It is a little more than the longest segment: a block cipher in place wants room for a
        block that it does not write.
        """
        longest = min(self.stride, self.small_bytes + self.big_bytes)
        return longest + 64

    @property
    def trailer_range(self) -> Range:
        """Where the trailer lies in big; its length may be 0."""
        return Range(self.big_bytes - self.trailer_bytes, self.trailer_bytes)

    def plaintext_range(self, index: int) -> Range:
        """Where segment `index` lies in the plaintext."""
        self._check(index)
        start = index * SEGMENT_BYTES
        return Range(start, min(SEGMENT_BYTES, self.plaintext_bytes - start))

    def big_range(self, index: int) -> Range:
        """Where segment `index` lies in big once it is sealed."""
        self._check(index)
        start = self._start(index)
        end = self._start(index + 1) if index + 1 < self.segments else self.trailer_range.offset
        return Range(start, end - start)

    def read_range(self, index: int) -> Range:
        """What of big must be read to open segment `index`."""
        start, length = self.big_range(index)
        overlap = self.overlap if index else 0
        return Range(start - overlap, length + overlap)

    def read_span(self, segments: range) -> Range:
        """What of big must be read to open several segments, one after the other."""
        start = self.read_range(segments[0]).offset
        return Range(start, sum(self.big_range(segments[-1])) - start)

    def span_bytes(self, count: int) -> int:
        """A buffer of this size holds what is read of so many segments, or comes out of them."""
        return (count - 1) * self.stride + self.buffer_bytes

    def end_of(self, count: int) -> int:
        """Where the first `count` segments end in big."""
        return self._start(count) if count < self.segments else self.trailer_range.offset

    def whole_segments(self, size: int) -> int:
        """How many segments lie whole in the first `size` bytes of big."""
        if size >= self.trailer_range.offset:
            return self.segments
        return min(max(0, size - self.shift) // self.stride, self.segments - 1)

    def _start(self, index: int) -> int:
        return index * self.stride + self.shift if index else 0

    def _check(self, index: int) -> None:
        if not 0 <= index < self.segments:
            raise IndexError(f"segment {index} of {self.segments}")
