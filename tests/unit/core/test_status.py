from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.core.status import difference, merged

MERGED = [
    ({}, {}, {}),
    ({"a": 1}, {}, {"a": 1}),
    ({"a": 1}, {"a": None}, {}),
    ({}, {"a": None}, {}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
    ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
    ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ({}, {"a": {"b": None}}, {}),
    ({}, {"a": {}}, {}),
    ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}}),
    (
        {"progress": {"epoch": 3}},
        {"phase": "Running"},
        {"progress": {"epoch": 3}, "phase": "Running"},
    ),
]

DIFFERENT = [
    ({}, {}, {}),
    ({"a": 1, "b": [1, {"c": 2}]}, {"b": [1, {"c": 2}], "a": 1}, {}),
    ({"a": 1}, {"a": 1.0}, {}),
    ({"a": 1}, {}, {"a": None}),
    ({}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
    ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
    ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [2, 1]}),
]


@pytest.mark.parametrize(("current", "patch", "wanted"), MERGED)
def test_merged(current: dict[str, Any], patch: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert merged(current, patch) == wanted


@pytest.mark.parametrize(("current", "wanted", "patch"), DIFFERENT)
def test_difference(current: dict[str, Any], wanted: dict[str, Any], patch: dict[str, Any]) -> None:
    assert difference(current, wanted) == patch


leaves = st.none() | st.integers(0, 2) | st.text("ab", max_size=2) | st.lists(st.integers(0, 1))
values = st.recursive(leaves, lambda below: st.dictionaries(st.sampled_from("abc"), below))
patches = st.dictionaries(st.sampled_from("abc"), values)


@given(patches, patches)
def test_the_difference_leads_there_and_nowhere_else(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    current = merged({}, first)
    wanted = merged(current, second)
    patch = difference(current, wanted)
    assert merged(current, patch) == wanted
    assert difference(wanted, merged(wanted, second)) == {}, "the same wish twice writes once"
