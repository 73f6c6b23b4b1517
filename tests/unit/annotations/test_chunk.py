"""What a chunk holds, as its layout in the stream protocol says."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.annotations.chunk import KEPT_BYTES, Chunk, Withheld, read_chunk

MOST = 1 << 20


def plain(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4) + body for body in bodies)


def packed(content: bytes, count: int, kind: int = 0, opened: int = 99) -> bytes:
    return bytes([0x80 | kind << 4]) + struct.pack(">HII", count, opened, len(content)) + content


def zipped(content: bytes, count: int, opened: int | None = None) -> bytes:
    return packed(gzip.compress(content), count, 1, len(content) if opened is None else opened)


def frame(
    data: bytes, entries: int, records: int, *, kind: int = 0, crc: int | None = None
) -> bytes:
    header = struct.pack(
        ">BbbHIqQQIIII",
        *(7, 0x50, kind, entries, records, 1_700_000_000_123, 1, 40),
        *(zlib.crc32(data) if crc is None else crc, len(data), 0, 0),
    )
    return header + data


def parsed(raw: bytes) -> Chunk:
    """As from a connection that has this frame and nothing after it."""

    async def read() -> Chunk:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        chunk = await read_chunk(reader.readexactly, len(raw), MOST)
        assert reader.at_eof()
        return chunk

    return asyncio.run(read())


LARGE = b"{}" + bytes(MOST)
NOT_WHOLE = "it is in an entry that does not hold what it says"
BOMB = f"it is in an entry that opens to {MOST + 1} bytes; of what was published at once"
CHUNKS: dict[str, tuple[bytes, list[bytes | Withheld]]] = {
    "messages": (frame(plain(b"a", b"", b"bc"), 3, 3), [b"a", b"", b"bc"]),
    "nothing": (frame(b"", 0, 0), []),
    "packed ones": (
        frame(plain(b"a") + packed(plain(b"b", b"c"), 2) + plain(b"d"), 3, 4),
        [b"a", b"b", b"c", b"d"],
    ),
    "compressed ones": (
        frame(zipped(plain(b"b", b"", b"c"), 3) + plain(b"d"), 2, 4),
        [b"b", b"", b"c", b"d"],
    ),
    "packed badly": (
        frame(packed(b"\0\0\xff\0a", 2) + plain(b"d"), 2, 3),
        [*[Withheld(NOT_WHOLE, b"\0\0\xff\0a")] * 2, b"d"],
    ),
    "compressed badly": (
        frame(packed(b"zip", 3, 1, 3) + plain(b"d"), 2, 4),
        [*[Withheld(NOT_WHOLE)] * 3, b"d"],
    ),
    "compressed of another length": (
        frame(zipped(plain(b"b"), 1, 4), 1, 1),
        [Withheld(NOT_WHOLE)],
    ),
    "fewer compressed than it says": (
        frame(zipped(plain(b"b"), 2), 1, 2),
        [Withheld(NOT_WHOLE)] * 2,
    ),
    "compressed by others": (
        frame(packed(b"a", 1, 2) + packed(b"b", 1, 4) + packed(b"c", 1, 7), 3, 3),
        [
            Withheld(f"it is in an entry compressed with {name}; use gzip, or no compression")
            for name in ("Snappy", "Zstandard", "codec 7")
        ],
    ),
    "a bomb": (
        frame(zipped(bytes(MOST + 1), 2) + plain(b"d"), 2, 3),
        [*[Withheld(f"{BOMB}, at most {MOST} are opened")] * 2, b"d"],
    ),
    "a bomb that lies": (
        frame(zipped(bytes(64 * MOST), 1, 4), 1, 1),
        [Withheld(NOT_WHOLE)],
    ),
    "bombs in a row": (
        frame(zipped(plain(bytes(MOST - 4)), 1) + zipped(plain(b""), 1), 2, 2),
        [
            bytes(MOST - 4),
            Withheld(
                "it is in an entry that opens to 4 bytes; of what was published at once, at most "
                f"{MOST} are opened"
            ),
        ],
    ),
    "one that is too large": (
        frame(plain(b"a", LARGE, b"b"), 3, 3),
        [
            b"a",
            Withheld(f"it has {MOST + 2} bytes; at most {MOST} are taken", LARGE[:KEPT_BYTES]),
            b"b",
        ],
    ),
    "an entry that is too large": (
        frame(packed(LARGE, 2) + plain(b"b"), 2, 3),
        [
            *[Withheld(f"it is in an entry of {MOST + 2} bytes; at most {MOST} are taken")] * 2,
            b"b",
        ],
    ),
    "none, packed": (frame(packed(b"", 0, 1) + plain(b"d"), 2, 1), [b"d"]),
    "more than its entries": (frame(plain(b"a") + b"more", 1, 1), [b"a"]),
    "a trailer": (frame(plain(b"a"), 1, 1) + b"trailer", [b"a"]),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_records(case: str) -> None:
    raw, records = CHUNKS[case]
    chunk = parsed(raw)
    assert chunk.records == records
    assert (chunk.subscription, chunk.time_ms, chunk.first) == (7, 1_700_000_000_123, 40)
    assert chunk.end == 40 + len(records)


DAMAGED = {
    "no header": (b"\0" * 20, "a chunk without a header"),
    "another sum": (frame(plain(b"a"), 1, 1, crc=1), "the chunk at offset 40 is damaged"),
    "cut off": (frame(plain(b"abc"), 1, 1)[:-1], "the chunk at offset 40 is damaged"),
    "of another kind": (frame(plain(b"a"), 1, 1, kind=1), "the chunk at offset 40 is damaged"),
    "too few": (frame(plain(b"a"), 1, 2), "the chunk at offset 40 has 1 records, not 2"),
    "an entry too long": (frame(b"\0\0\0\x09a", 1, 1), "an entry is longer than its chunk"),
    "an entry too many": (frame(plain(b"a"), 2, 2), "an entry is longer than its chunk"),
    "half a header of one": (frame(b"\x80\0", 1, 1), "an entry is longer than its chunk"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged(case: str) -> None:
    raw, said = DAMAGED[case]
    with pytest.raises(ValueError, match=said):
        parsed(raw)


@given(st.binary(max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_whatever_a_chunk_holds_is_read_or_refused(data: bytes, entries: int, count: int) -> None:
    try:
        chunk = parsed(frame(data, entries, count))
    except ValueError:
        return
    assert len(chunk.records) == count
