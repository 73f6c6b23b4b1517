from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.delivery.readers import FileReader, ObjectReader, digest_of
from sealyard.errors import IntegrityError, MissingError
from sealyard.sealing.formats import OpenedReader, open_sealed
from sealyard.sealing.layout import BytesReader, Range
from support.sealing import BOTH, KEYRING, S, content, seal


class CountingCdn:
    """The part of a CDN that a reader uses; the real one is in the integration tests."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def read_into(self, _key: str, offset: int, out: memoryview, *, size: int) -> None:
        assert size == len(self.data)
        self.asked.append((offset, len(out)))
        out[:] = self.data[offset : offset + len(out)]


def reader_of(cdn: CountingCdn, *, at_once: int = 64) -> ObjectReader:
    reader = ObjectReader(cdn, "key", len(cdn.data))  # type: ignore[arg-type]
    reader.at_once = at_once
    return reader


@given(st.binary(max_size=200), st.integers(1, 50), st.integers(0, 200), st.integers(0, 200))
def test_any_range_is_read(data: bytes, at_once: int, offset: int, length: int) -> None:
    expected = data[offset : offset + length]
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with FileReader(os.dup(file.fileno())) as from_file:
            from_file.at_once = at_once
            for reader in (from_file, reader_of(CountingCdn(data), at_once=at_once)):
                assert reader.size == len(data)
                assert reader.read_at(offset, length) == expected
                out = memoryview(bytearray(length))
                assert out[: reader.read_into(offset, out)] == expected
                inside = Range(offset, len(expected))
                assert b"".join(map(bytes, reader.stream(inside))) == expected


def test_a_range_is_one_request() -> None:
    cdn = CountingCdn(os.urandom(1000))
    reader = reader_of(cdn)
    reader.read_at(100, 300)
    reader.read_into(900, memoryview(bytearray(300)))
    assert cdn.asked == [(100, 300), (900, 100)]
    assert reader.read_at(1000, 10) == b""
    assert len(cdn.asked) == 2


def test_a_stream_asks_for_each_byte_once() -> None:
    cdn = CountingCdn(os.urandom(1000))
    assert b"".join(map(bytes, reader_of(cdn).stream(Range(10, 900)))) == cdn.data[10:910]
    assert sorted(cdn.asked) == [(10 + at, min(64, 900 - at)) for at in range(0, 900, 64)]


@pytest.mark.parametrize("sealing", BOTH)
def test_a_small_range_of_a_remote_object_fetches_what_it_touches(sealing: str) -> None:
    made = seal(sealing, content(3 * S + 17))
    cdn = CountingCdn(made.big)
    reader = reader_of(cdn)
    opener = open_sealed(made.entry, small=made.small, big=reader, keys=KEYRING)
    if opener.authenticated:
        assert cdn.asked == [opener.layout.trailer_range]
    cdn.asked.clear()
    opened = OpenedReader(opener, reader)
    assert opened.read_at(2 * S - 5, 10) == made.plaintext[2 * S - 5 : 2 * S + 5]
    assert opened.read_at(2 * S + 100, 10) == made.plaintext[2 * S + 100 : 2 * S + 110]
    assert cdn.asked == [opener.layout.read_range(index) for index in (1, 2)]


def test_a_file_stays_the_same_when_another_takes_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with FileReader.open(path) as reader:
        path.unlink()
        path.write_bytes(b"afterwards")
        assert reader.size == 6
        assert reader.read_at(0, 100) == b"before"


def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(IntegrityError, match=f"{name} is a link, a pipe, a device or a folder"):
            FileReader.open(tmp_path / name)
    with pytest.raises(MissingError, match="nothing: cannot be read"):
        FileReader.open(tmp_path / "nothing")


def test_digest() -> None:
    data = os.urandom((1 << 20) + 5)
    assert digest_of(BytesReader(data)) == hashlib.sha256(data).hexdigest()
