"""Ranges mean what npm means by them."""

from __future__ import annotations

import pytest

from sealyard.core.versions import highest, is_range

VERSIONS = ["1.0.0", "1.2.0", "1.2.1", "1.3.0-rc.1", "1.3.0-rc.10", "1.10.0", "2.0.0-rc.1", "3.1.4"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1.2.0", "1.2.0"),
        ("1.3.0-rc.1", "1.3.0-rc.1"),
        ("1.9.9", None),
        ("^1", "1.10.0"),
        ("^1.0.0", "1.10.0"),
        ("~1.2", "1.2.1"),
        ("1.2.x", "1.2.1"),
        (">=1.2 <1.3", "1.2.1"),
        ("1.0.0 - 1.2", "1.2.1"),
        ("1.0.x || 3.x", "3.1.4"),
        ("*", "3.1.4"),
        # A pre-release only if the range names one of the same version.
        ("<2.0.0", "1.10.0"),
        ("^2", None),
        ("^2.0.0-rc.0", "2.0.0-rc.1"),
        (">=1.3.0-rc.0 <1.4", "1.3.0-rc.10"),
        ("~1.3.0-alpha", "1.3.0-rc.10"),
        (">4", None),
    ],
)
def test_the_highest_of_a_range(wanted: str, found: str | None) -> None:
    assert is_range(wanted)
    assert highest(VERSIONS, wanted) == found
    assert highest(reversed(VERSIONS), wanted) == found


@pytest.mark.parametrize("text", ["latest", "^", "1.2.3.4", ">=", "1 2 x y", "1.2.3 foo", "><1"])
def test_what_is_no_range(text: str) -> None:
    assert not is_range(text)


def test_nothing_is_released_yet() -> None:
    assert highest([], "*") is None
