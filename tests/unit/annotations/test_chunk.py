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
NOT_WHOLE = "messages are in an entry that does not hold what it says"
OPENS = "messages are in an entry that opens to"
OPENED = f"of what was published at once, at most {MOST} bytes and 65536 messages are opened"
CHUNKS: dict[str, tuple[bytes, list[tuple[int, bytes | Withheld]]]] = {
    "messages": (frame(plain(b"a", b"", b"bc"), 3, 3), [(40, b"a"), (41, b""), (42, b"bc")]),
    "nothing": (frame(b"", 0, 0), []),
    "packed ones": (
        frame(plain(b"a") + packed(plain(b"b", b"c"), 2) + plain(b"d"), 3, 4),
        [(40, b"a"), (41, b"b"), (42, b"c"), (43, b"d")],
    ),
    "compressed ones": (
        frame(zipped(plain(b"b", b"", b"c"), 3) + plain(b"d"), 2, 4),
        [(40, b"b"), (41, b""), (42, b"c"), (43, b"d")],
    ),
    "packed badly": (
        frame(packed(b"\0\0\xff\0a", 2) + plain(b"d"), 2, 3),
        [(41, Withheld(f"2 {NOT_WHOLE}", b"\0\0\xff\0a")), (42, b"d")],
    ),
    "compressed badly": (
        frame(packed(b"zip", 3, 1, 3) + plain(b"d"), 2, 4),
        [(42, Withheld(f"3 {NOT_WHOLE}")), (43, b"d")],
    ),
    "compressed of another length": (
        frame(zipped(plain(b"b"), 1, 4), 1, 1),
        [(40, Withheld(f"1 {NOT_WHOLE}"))],
    ),
    "fewer compressed than it says": (
        frame(zipped(plain(b"b"), 2), 1, 2),
        [(41, Withheld(f"2 {NOT_WHOLE}"))],
    ),
    "as many in nothing as it can say": (
        frame(packed(b"", 65_535) + packed(b"", 65_535, 1), 2, 131_070),
        [(65_574, Withheld(f"65535 {NOT_WHOLE}")), (131_109, Withheld(f"65535 {NOT_WHOLE}"))],
    ),
    "compressed by others": (
        frame(packed(b"a", 1, 2) + packed(b"b", 1, 4) + packed(b"c", 1, 7), 3, 3),
        [
            (40 + number, Withheld(f"1 messages are in an entry compressed with {name}"))
            for number, name in enumerate(
                f"{name}; use gzip, or no compression"
                for name in ("Snappy", "Zstandard", "codec 7")
            )
        ],
    ),
    "a bomb": (
        frame(zipped(bytes(MOST + 1), 2) + plain(b"d"), 2, 3),
        [(41, Withheld(f"2 {OPENS} {MOST + 1} bytes; {OPENED}")), (42, b"d")],
    ),
    "a bomb that lies": (
        frame(zipped(bytes(64 * MOST), 1, 4), 1, 1),
        [(40, Withheld(f"1 {NOT_WHOLE}"))],
    ),
    "bombs in a row": (
        frame(zipped(plain(bytes(MOST - 4)), 1) + zipped(plain(b""), 1), 2, 2),
        [(40, bytes(MOST - 4)), (41, Withheld(f"1 {OPENS} 4 bytes; {OPENED}"))],
    ),
    "one that is too large": (
        frame(plain(b"a", LARGE, b"b"), 3, 3),
        [
            (40, b"a"),
            (
                41,
                Withheld(f"it has {MOST + 2} bytes; at most {MOST} are taken", LARGE[:KEPT_BYTES]),
            ),
            (42, b"b"),
        ],
    ),
    "an entry that is too large": (
        frame(packed(LARGE, 2) + plain(b"b"), 2, 3),
        [
            (
                41,
                Withheld(
                    f"2 messages are in an entry of {MOST + 2} bytes; at most {MOST} are taken"
                ),
            ),
            (42, b"b"),
        ],
    ),
    "none, packed": (frame(packed(b"", 0, 1) + plain(b"d"), 2, 1), [(40, b"d")]),
    "more than its entries": (frame(plain(b"a") + b"more", 1, 1), [(40, b"a")]),
    "a trailer": (frame(plain(b"a"), 1, 1) + b"trailer", [(40, b"a")]),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_records(case: str) -> None:
    raw, records = CHUNKS[case]
    chunk = parsed(raw)
    assert chunk.records == records
    assert (chunk.subscription, chunk.time_ms, chunk.first) == (7, 1_700_000_000_123, 40)
    assert chunk.end == (records[-1][0] + 1 if records else 40)


def test_many_empty_ones_are_not_opened() -> None:
    several = zipped(plain(b"") * 40_000, 40_000)
    chunk = parsed(frame(several * 2, 2, 80_000))
    assert len(chunk.records) == 40_001
    assert isinstance(chunk.records[-1][1], Withheld)


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
    assert chunk.end - chunk.first == count
    assert all(chunk.first <= offset < chunk.end for offset, _ in chunk.records)
