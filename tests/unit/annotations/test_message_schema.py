"""docs/annotation.schema.json is current, and says of a line what the reader says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sealyard.annotations.message import VERSION, parse
from sealyard.annotations.message_schema import encoded, schema
from sealyard.errors import InvalidError
from support.annotations import a_body, a_line, a_picture

FILE = Path(__file__).parents[3] / "docs/annotation.schema.json"
VALIDATOR = Draft202012Validator(schema())


def test_the_file_is_the_one_that_is_generated() -> None:
    assert FILE.read_text(encoding="utf-8") == encoded(), "run make generate"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def _is_read(document: Any) -> bool:
    try:
        parse(a_body(document))
    except InvalidError:
        return False
    return True


# No line end at the end of a text: Python's `$` lets one pass, that of ECMAScript does not.
_TEXT = st.text(max_size=70).filter(lambda text: not text.endswith("\n"))
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_SIDE = st.floats(0.01, 0.4)
_BOX = st.fixed_dictionaries(
    {
        "class": _TEXT,
        "x": st.floats(0.3, 0.7),
        "y": st.floats(0.3, 0.7),
        "width": _SIDE,
        "height": _SIDE,
    },
    optional={"score": st.just(1)},
)
_PICTURE = st.fixed_dictionaries(
    {"sha256": st.sampled_from(["0" * 64, "F" * 64, ""]), "sizeBytes": st.integers(-1, 1 << 41)},
    optional={
        "mediaType": st.sampled_from(["image/jpeg", "image/gif"]),
        "uri": st.sampled_from([None, "s3://a/b", "s3://a", "https://a/b"]),
    },
)
_LINES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "tray-1", "../a", "", "a" * 65]) | _TEXT,
        "revision": st.integers(-1, 1 << 32),
        "operation": st.sampled_from(["created", "edited", "validated", "deleted", "renamed"]),
        "annotator": _TEXT,
        "annotatedAt": st.sampled_from(["2026-11-26T08:00:00Z", "2026-11-26", "08:00"]),
    },
    optional={
        "version": st.sampled_from([VERSION, "sealyard.io/annotation/v2"]),
        "picture": st.none() | _PICTURE,
        "boxes": st.lists(_BOX, max_size=2),
        "group": st.none() | _TEXT,
        "role": st.none() | _TEXT,
        "proof": st.none() | st.fixed_dictionaries({"jwt": _TEXT}),
    },
)


@given(_LINES)
def test_a_line_is_valid_where_it_is_read(document: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(document) == _is_read(document)


@given(st.sampled_from(sorted(a_line(group="a", proof={"jwt": "a"}))), _ANYTHING, st.booleans())
def test_one_field_that_is_something_else(field: str, value: Any, drop: bool) -> None:
    document = a_line(group="a", proof={"jwt": "a"}) | {field: value}
    if drop:
        del document[field]
    assert VALIDATOR.is_valid(document) == _is_read(document)


@pytest.mark.parametrize("field", ["picture", "boxes", "version"])
def test_what_may_be_missing_where_an_item_is_deleted(field: str) -> None:
    for operation in ("created", "deleted"):
        document = a_line(operation=operation)
        del document[field]
        assert VALIDATOR.is_valid(document) == _is_read(document)
        assert _is_read(document) == (operation == "deleted" and field != "version")


def test_a_picture_that_lies_elsewhere() -> None:
    assert VALIDATOR.is_valid(a_line(picture=a_picture(uri="s3://trays/1.jpg")))
