"""A chunk: what a stream consists of, and what the broker delivers as one frame.

Its layout is that of the stream protocol's `Deliver` command. A publisher may have packed several
messages into an entry of it, and compressed them; what is compressed is not opened, or a few bytes
could become gigabytes: such an entry is given as it is, and its other places are empty.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct(">BbbHIqQQIIII")
"""Subscription, magic and version, kind, entries, records, time, epoch, first offset, CRC-32,
length of the data, length of the trailer, reserved."""
_PACK: Final = struct.Struct(">BHII")
"""Its first bit is set, which no message's length has; kind of compression in bits 4 to 6, records,
length when opened, length."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that the broker took together.

    Attributes:
        subscription: whose delivery it is.
        time_ms: when the broker took it, in milliseconds since the epoch.
        first: the offset of its first record; each further has one more.
        records: what was published; views of the frame, which stays as long as one of them.
    """

    subscription: int
    time_ms: int
    first: int
    records: list[memoryview]

    @property
    def end(self) -> int:
        """The offset after its last record."""
        return self.first + len(self.records)


def parse_chunk(frame: memoryview) -> Chunk:
    """The chunk in a `Deliver` frame.

    Args:
        frame: without the command's key and version.

    Raises:
        ValueError: it is damaged, or of a kind that nobody asked for.
    """
    if len(frame) < _HEADER.size:
        raise ValueError("a chunk without a header")
    header = _HEADER.unpack_from(frame)
    subscription, _, kind, entries, count, time_ms, _, first, crc, length, _, _ = header
    data = frame[_HEADER.size : _HEADER.size + length]
    if kind != 0 or len(data) != length or zlib.crc32(data) != crc:
        raise ValueError(f"the chunk at offset {first} is damaged")
    records = _records(data, entries)
    if len(records) != count:
        raise ValueError(f"the chunk at offset {first} has {len(records)} records, not {count}")
    return Chunk(subscription, time_ms, first, records)


def _records(data: memoryview, entries: int) -> list[memoryview]:
    records: list[memoryview] = []
    at = 0
    for _ in range(entries):
        if data[at : at + 1].tobytes() < b"\x80":
            found, size = _messages(data[at:], 1)
            at += size
        else:
            if len(data) - at < _PACK.size:
                raise ValueError("an entry without a header")
            kind, count, _, length = _PACK.unpack_from(data, at)
            at += _PACK.size + length
            found = _unpacked(data[at - length : at], count, is_plain=not kind & 0x70)
        records += found
    return records


def _unpacked(packed: memoryview, count: int, *, is_plain: bool) -> list[memoryview]:
    """The broker has counted them as the publisher said, and looked no further."""
    with suppress(ValueError):
        if is_plain:
            return _messages(packed, count)[0]
    return [packed, *([memoryview(b"")] * (count - 1))][:count]


def _messages(data: memoryview, count: int) -> tuple[list[memoryview], int]:
    """So many messages, and how many bytes they take."""
    found: list[memoryview] = []
    at = 0
    for _ in range(count):
        begin = at + 4
        at = begin + int.from_bytes(data[at:begin])
        if begin > len(data) or at > len(data):
            raise ValueError("an entry is longer than its chunk")
        found.append(data[begin:at])
    return found, at
