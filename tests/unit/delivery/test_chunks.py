from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.delivery.chunks import Buffers, filled
from sealyard.errors import IntegrityError


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 30))
def test_the_same_bytes_come_in_full_parts(chunks: list[bytes], part_bytes: int) -> None:
    whole = b"".join(chunks)

    buffers = Buffers(part_bytes)
    parts = []
    for part in filled(chunks, size=len(whole), buffers=buffers):
        parts.append(bytes(part))
        buffers.give_back(part)

    assert b"".join(parts) == whole
    assert all(len(part) == part_bytes for part in parts[:-1])
    assert all(0 < len(part) <= part_bytes for part in parts)


@pytest.mark.parametrize("size", [9, 11])
def test_more_or_fewer_bytes_than_announced_are_refused(size: int) -> None:
    with pytest.raises(IntegrityError, match="announced"):
        list(filled([b"0123456789"], size=size, buffers=Buffers(4)))


def test_the_last_part_waits_for_the_end_of_the_source() -> None:
    def failing() -> Iterator[bytes]:
        yield b"01234567"
        raise IntegrityError("the file was another")

    parts = filled(failing(), size=8, buffers=Buffers(4))

    assert next(parts) == b"0123"
    with pytest.raises(IntegrityError, match="another"):
        next(parts)
