from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import IntegrityError
from sealyard.sealing.formats import BytesReader, SplitLimits, format_named
from sealyard.sealing.layout import Range, read_exactly
from support.sealing import BOTH, S


@given(length=st.one_of(st.integers(0, 5 * S), st.sampled_from([S, 2 * S, 3 * S + 17])))
def test_the_ranges_of_all_segments_cover_everything_once(length: int) -> None:
    for name in BOTH:
        layout = format_named(name).plan(length, SplitLimits())
        plain = big = 0
        for index in range(layout.segments):
            assert layout.plaintext_range(index).offset == index * S
            assert layout.big_range(index).offset == big
            assert 0 <= layout.big_range(index).length <= layout.buffer_bytes
            start, count = layout.read_range(index)
            assert start >= 0
            assert start + count == sum(layout.big_range(index))
            plain += layout.plaintext_range(index).length
            big += layout.big_range(index).length
        assert plain == length
        assert layout.trailer_range == Range(big, layout.trailer_bytes)
        assert big + layout.trailer_bytes == layout.big_bytes


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_no_segment_outside(index: int) -> None:
    layout = format_named("sealed-v2").plan(S + 1, SplitLimits())
    for ranges in (layout.plaintext_range, layout.big_range, layout.read_range):
        with pytest.raises(IndexError, match=f"segment {index} of 2"):
            ranges(index)


def test_a_source_that_ends_early_is_an_integrity_error() -> None:
    assert read_exactly(BytesReader(b"abcdef"), Range(2, 3), "big part") == b"cde"
    with pytest.raises(IntegrityError, match=r"^big part: 2 bytes at offset 4, expected 3"):
        read_exactly(BytesReader(b"abcdef"), Range(4, 3), "big part")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("length", [0, 1, S, 3 * S, 3 * S + 17])
def test_a_beginning_of_big_has_so_many_whole_segments(name: str, length: int) -> None:
    layout = format_named(name).plan(length, SplitLimits())
    assert [layout.whole_segments(size) for size in (0, layout.big_bytes)] == [0, layout.segments]
    for count in range(layout.segments + 1):
        end = layout.end_of(count)
        assert end == sum(layout.big_range(index).length for index in range(count))
        assert layout.whole_segments(end) == count
        assert layout.whole_segments(end + 1) == count
        assert count == 0 or layout.whole_segments(end - 1) == count - 1


@given(length=st.integers(0, 5 * S), first=st.integers(0, 4), count=st.integers(1, 5))
def test_several_segments_are_read_at_once(length: int, first: int, count: int) -> None:
    for name in BOTH:
        layout = format_named(name).plan(length, SplitLimits())
        segments = range(layout.segments)[first : first + count] or range(1)
        offset, size = layout.read_span(segments)
        assert offset == layout.read_range(segments[0]).offset
        assert offset + size == sum(layout.read_range(segments[-1]))
        assert size <= layout.span_bytes(len(segments))
