"""What a chunk holds, as its layout in the stream protocol says."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.annotations.chunk import parse_chunk


def plain(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4) + body for body in bodies)


def packed(content: bytes, count: int, kind: int = 0) -> bytes:
    return bytes([0x80 | kind << 4]) + struct.pack(">HII", count, 99, len(content)) + content


def frame(
    data: bytes, entries: int, records: int, *, kind: int = 0, crc: int | None = None
) -> bytes:
    header = struct.pack(
        ">BbbHIqQQIIII",
        *(7, 0x50, kind, entries, records, 1_700_000_000_123, 1, 40),
        *(zlib.crc32(data) if crc is None else crc, len(data), 0, 0),
    )
    return header + data


CHUNKS = {
    "messages": (frame(plain(b"a", b"", b"bc"), 3, 3), [b"a", b"", b"bc"]),
    "nothing": (frame(b"", 0, 0), []),
    "packed ones": (
        frame(plain(b"a") + packed(plain(b"b", b"c"), 2) + plain(b"d"), 3, 4),
        [b"a", b"b", b"c", b"d"],
    ),
    "compressed ones": (frame(packed(b"zip", 3, 1) + plain(b"d"), 2, 4), [b"zip", b"", b"", b"d"]),
    "packed badly": (
        frame(packed(b"\0\0\xff\0a", 2) + plain(b"d"), 2, 3),
        [b"\0\0\xff\0a", b"", b"d"],
    ),
    "none, packed": (frame(packed(b"", 0, 1) + plain(b"d"), 2, 1), [b"d"]),
    "a trailer": (frame(plain(b"a"), 1, 1) + b"trailer", [b"a"]),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_records(case: str) -> None:
    raw, records = CHUNKS[case]
    chunk = parse_chunk(memoryview(raw))
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
    "half a header of one": (frame(b"\x80\0", 1, 1), "an entry without a header"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged(case: str) -> None:
    raw, said = DAMAGED[case]
    with pytest.raises(ValueError, match=said):
        parse_chunk(memoryview(raw))


@given(st.binary(max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_whatever_a_chunk_holds_is_read_or_refused(data: bytes, entries: int, count: int) -> None:
    try:
        chunk = parse_chunk(memoryview(frame(data, entries, count)))
    except ValueError:
        return
    assert len(chunk.records) == count
