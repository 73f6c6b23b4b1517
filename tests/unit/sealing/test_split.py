from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.errors import InvalidError
from sealyard.sealing.formats import SplitLimits, format_named
from support.sealing import BOTH, S

LIMITS = st.builds(SplitLimits, max_bytes=st.integers(320, 3072), max_percent=st.integers(8, 20))
LENGTHS = st.one_of(
    st.integers(0, 20_000),
    st.integers(0, 1 << 40),
    st.sampled_from([0, 4096, S - 1, S, S + 1, 1 << 40]),
)


@pytest.mark.parametrize(
    ("total", "max_bytes", "max_percent", "limit"),
    [
        (32, 3072, 20, 6),
        (32, 3072, 8, 2),
        (4464, 3072, 20, 892),
        (4464, 3072, 8, 357),
        (15_359, 3072, 20, 3071),
        (15_360, 3072, 20, 3072),
        (15_361, 3072, 20, 3072),
        (1 << 40, 3072, 20, 3072),
        (1 << 40, 320, 8, 320),
    ],
)
def test_the_limit_is_the_smaller_of_both_rounded_down(
    total: int, max_bytes: int, max_percent: int, limit: int
) -> None:
    assert SplitLimits(max_bytes, max_percent).small_limit(total) == limit


@pytest.mark.parametrize(
    ("max_bytes", "max_percent", "field"),
    [
        (319, 20, "split.maxBytes: 319"),
        (3073, 20, "split.maxBytes: 3073"),
        (3072, 7, "split.maxPercent: 7"),
        (3072, 21, "split.maxPercent: 21"),
    ],
)
def test_a_limit_out_of_range_is_refused(max_bytes: int, max_percent: int, field: str) -> None:
    with pytest.raises(InvalidError, match=f"^{field} must be between"):
        SplitLimits(max_bytes, max_percent)


@given(length=LENGTHS, limits=LIMITS)
def test_both_formats_keep_every_limit(length: int, limits: SplitLimits) -> None:
    for name in BOTH:
        layout = format_named(name).plan(length, limits)
        limit = limits.small_limit(layout.small_bytes + layout.big_bytes)
        assert 0 < layout.small_bytes <= limit
        assert layout.big_bytes > 0
        if name == "aes-256-cbc-v1":
            assert layout.small_bytes == limit
        else:
            assert layout.small_bytes == 320


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("length", [-1, (1 << 40) + 1])
def test_a_length_that_no_format_has_is_refused(name: str, length: int) -> None:
    with pytest.raises(InvalidError, match=f"^plaintext: {length} bytes"):
        format_named(name).plan(length, SplitLimits())
