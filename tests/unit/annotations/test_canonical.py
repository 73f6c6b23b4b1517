"""The canonical form is that of RFC 8785, whoever writes it."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from sealyard.annotations.canonical import canonical

SIDES = ("x", "y", "width", "height")
FRACTIONS = st.floats(0, 1) | st.floats(0, 1e-3) | st.integers(0, 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BOXES = st.lists(
    st.fixed_dictionaries({"class": TEXTS, **dict.fromkeys(SIDES, FRACTIONS)}), max_size=3
)


@given(BOXES, TEXTS, st.integers(1, 1 << 40))
def test_it_is_what_the_library_writes(boxes: list[object], text: str, size: int) -> None:
    document = {"annotator": text, "boxes": boxes, "picture": {"sizeBytes": size, "uri": text}}
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, b"0"),
        (-0.0, b"0"),
        (1.0, b"1"),
        (0.5, b"0.5"),
        (1e-4, b"0.0001"),
        (9.999999999999999e-05, b"0.00009999999999999999"),
        (1e-6, b"0.000001"),
        (1e-7, b"1e-7"),
        (5e-324, b"5e-324"),
        (0.1 + 0.2, b"0.30000000000000004"),
    ],
)
def test_a_number_is_written_as_ecmascript_does(number: float, written: bytes) -> None:
    assert canonical({"boxes": [{"x": number}]}) == b'{"boxes":[{"x":' + written + b"}]}"
