from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.delivery.readers import FileReader, ObjectReader, digest_of
from sealyard.errors import MissingError
from sealyard.sealing.layout import BytesReader


class CountingCdn:
    """The part of a CDN that a reader uses; the real one is in the integration tests."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def open(self, _key: str, *, block_bytes: int) -> tuple[int, bytes]:
        self.asked.append((0, block_bytes))
        return len(self.data), self.data[:block_bytes]

    def read(self, _key: str, offset: int, length: int, *, size: int) -> bytes:
        assert size == len(self.data)
        self.asked.append((offset, length))
        return self.data[offset : offset + length]


@given(st.binary(min_size=1, max_size=200), st.integers(1, 50), st.data())
def test_any_range_of_an_object_is_read(data: bytes, block_bytes: int, draw: st.DataObject) -> None:
    offset = draw.draw(st.integers(0, len(data)))
    length = draw.draw(st.integers(0, len(data)))
    with ObjectReader(CountingCdn(data), "key", block_bytes=block_bytes) as reader:  # type: ignore[arg-type]
        assert reader.size == len(data)
        assert reader.read_at(offset, length) == data[offset : offset + length]


def test_reading_in_order_asks_for_each_byte_once() -> None:
    cdn = CountingCdn(os.urandom(1000))
    with ObjectReader(cdn, "key", block_bytes=64) as reader:  # type: ignore[arg-type]
        assert b"".join(reader.read_at(at, 10) for at in range(0, 1000, 10)) == cdn.data

    assert sorted(cdn.asked) == [(at, min(64, 1000 - at)) for at in range(0, 1000, 64)]


def test_a_file_stays_the_same_when_another_takes_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with FileReader.open(path) as reader:
        path.unlink()
        path.write_bytes(b"afterwards")
        assert reader.size == 6
        assert reader.read_at(0, 100) == b"before"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    for name in ("link", "nothing"):
        with pytest.raises(MissingError, match=name):
            FileReader.open(tmp_path / name)


def test_digest() -> None:
    data = os.urandom((1 << 20) + 5)
    assert digest_of(BytesReader(data)) == hashlib.sha256(data).hexdigest()
