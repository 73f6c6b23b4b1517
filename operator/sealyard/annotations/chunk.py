"""A chunk: what a stream consists of, and what the broker delivers as one frame.

Its layout is that of the stream protocol's `Deliver` command. A publisher may have packed several
messages into an entry of it, and compressed them. It is read entry by entry, so that no message
and no compressed entry takes more memory than was agreed on, however large it is or becomes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

_HEADER: Final = struct.Struct(">BbbHIqQQIIII")
"""Subscription, magic and version, kind, entries, records, time, epoch, first offset, CRC-32,
length of the data, length of the trailer, reserved."""
_PACK: Final = struct.Struct(">BHII")
"""Its first bit is set, which no message's length has; kind of compression in bits 4 to 6, records,
length when opened, length."""
_PLAIN, _GZIP = 0, 1
_CODECS: Final = {2: "Snappy", 3: "LZ4", 4: "Zstandard"}
_GZIP_FORMAT: Final = 31
"""As zlib counts its formats."""
_PIECE_BYTES: Final = 1 << 20
_OPENED_MESSAGES: Final = 1 << 16
KEPT_BYTES: Final = 256 << 10
"""Of a message that is too large."""

Read = Callable[[int], Awaitable[bytes]]
"""Gives the next so many bytes of a frame."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """In the place of a message, or of all of an entry, that is not given as it was published.

    Attributes:
        reason: why not: one line.
        begin: its first bytes; none where they are compressed, and may hide a token.
    """

    reason: str
    begin: bytes = b""


Record = tuple[int, bytes | Withheld]
"""Something that was published, with its offset. That of an entry is its last message's."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that the broker took together.

    Attributes:
        subscription: whose delivery it is.
        time_ms: when the broker took it, in milliseconds since the epoch.
        first: the offset of its first message.
        end: the offset after its last one.
        records: what was published, in order.
    """

    subscription: int
    time_ms: int
    first: int
    end: int
    records: list[Record]


async def read_chunk(read: Read, size: int, most: int) -> Chunk:
    """The chunk in a `Deliver` frame.

    Args:
        read: the frame, from behind the command's key and version.
        size: how long it is from there.
        most: the most bytes that a message may have, and that compressed entries may come to when
            they are opened, all together. What has more is withheld.

    Raises:
        ValueError: it is damaged, or of a kind that nobody asked for.
    """
    if size < _HEADER.size:
        raise ValueError("a chunk without a header")
    header = _HEADER.unpack(await read(_HEADER.size))
    subscription, _, kind, entries, count, time_ms, _, first, crc, length, _, _ = header
    trailer = size - _HEADER.size - length
    if kind != 0 or trailer < 0:
        raise ValueError(f"the chunk at offset {first} is damaged")
    data = _Data(read, length, most)
    records: list[Record] = []
    end = first
    for _ in range(entries):
        counted, found = await data.entry()
        end += counted
        records += enumerate(found, end - len(found))
    if await data.finish() != crc:
        raise ValueError(f"the chunk at offset {first} is damaged")
    await _Data(read, trailer, most).finish()
    if end - first != count:
        raise ValueError(f"the chunk at offset {first} has {end - first} records, not {count}")
    return Chunk(subscription, time_ms, first, end, records)


class _Data:
    """The entries of a chunk, read one after the other and summed up."""

    def __init__(self, read: Read, length: int, most: int) -> None:
        self._read = read
        self._left = length
        self._most = most
        self._may_open = most
        self._may_count = _OPENED_MESSAGES
        self._crc = 0

    async def entry(self) -> tuple[int, list[bytes | Withheld]]:
        """The messages of the next entry, and how many the broker has counted: what is withheld is
        told once, for the publisher may say that there are 65,535 in nothing.
        """
        head = await self._take(1)
        if head < b"\x80":
            return 1, [await self._message(int.from_bytes(head + await self._take(3)))]
        kind, count, opened, length = _PACK.unpack(head + await self._take(_PACK.size - 1))
        if length > self._most:
            await self._skip(length)
            reason = f"an entry of {length} bytes; at most {self._most} are taken"
            found: list[bytes | Withheld] | Withheld = Withheld(reason)
        else:
            found = self._unpacked(await self._take(length), count, kind >> 4 & 7, opened)
        if isinstance(found, Withheld):
            of_all = replace(found, reason=f"{count} messages are in {found.reason}")
            return count, [of_all] if count else []
        return count, found

    async def finish(self) -> int:
        """Read what is left; gives the CRC-32 of all."""
        await self._skip(self._left)
        return self._crc

    async def _message(self, length: int) -> bytes | Withheld:
        if length <= self._most:
            return await self._take(length)
        begin = await self._take(min(length, KEPT_BYTES))
        await self._skip(length - len(begin))
        return Withheld(f"it has {length} bytes; at most {self._most} are taken", begin)

    def _unpacked(
        self, packed: bytes, count: int, codec: int, opened: int
    ) -> list[bytes | Withheld] | Withheld:
        if codec == _PLAIN:
            return _messages(packed, count) or Withheld(_NOT_WHOLE, packed[:KEPT_BYTES])
        if codec != _GZIP:
            name = _CODECS.get(codec, f"codec {codec}")
            return Withheld(f"an entry compressed with {name}; use gzip, or no compression")
        if opened > self._may_open or count > self._may_count:
            return Withheld(
                f"an entry that opens to {opened} bytes; of what was published at once, at most "
                f"{self._most} bytes and {_OPENED_MESSAGES} messages are opened"
            )
        self._may_open -= opened
        self._may_count -= count
        return _messages(_opened(packed, opened), count) or Withheld(_NOT_WHOLE)

    async def _take(self, size: int) -> bytes:
        if size > self._left:
            raise ValueError("an entry is longer than its chunk")
        content = await self._read(size)
        self._left -= size
        self._crc = zlib.crc32(content, self._crc)
        return content

    async def _skip(self, size: int) -> None:
        while size > 0:
            piece = min(size, _PIECE_BYTES)
            await self._take(piece)
            size -= piece


_NOT_WHOLE: Final = "an entry that does not hold what it says"


def _opened(packed: bytes, size: int) -> bytes:
    """What was compressed with gzip; nothing where that is no gzip of so many bytes."""
    opener = zlib.decompressobj(_GZIP_FORMAT)
    try:
        # One more than there may be: where 0 is asked for, all is given.
        content = opener.decompress(packed, size + 1)
    except zlib.error:
        return b""
    return content if opener.eof and len(content) == size else b""


def _messages(packed: bytes, count: int) -> list[bytes | Withheld] | None:
    """So many messages; None where there are not so many."""
    found: list[bytes | Withheld] = []
    at = 0
    for _ in range(count):
        begin = at + 4
        at = begin + int.from_bytes(packed[at:begin])
        if at > len(packed) or begin > len(packed):
            return None
        found.append(packed[begin:at])
    return found
