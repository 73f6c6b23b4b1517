from __future__ import annotations

from fractions import Fraction

import pytest

from sealyard.core.compute.quantity import amount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("500m", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 1024**3 // 2),
        ("4G", 4 * 1000**3),
        ("1Ti", 1024**4),
    ],
)
def test_the_exact_amount(text: str, value: Fraction) -> None:
    assert amount(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "-1", "1gi", "1e3"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        amount(text)
