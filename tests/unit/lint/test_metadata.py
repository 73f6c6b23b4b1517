"""Names, labels and annotations, which the API server judges before any rule of a kind."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.lint.metadata import problems_of_metadata


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "coins"},
        {"name": "coins-1.0.0", "namespace": "vision", "labels": {}, "annotations": None},
        {"name": "1", "labels": {"app.kubernetes.io/name": "coins", "empty": "", "V_1.x": "A-b"}},
        {"name": "a" * 253, "annotations": {"sealyard.io/requestedAt": "any text at all: \u00fc"}},
    ],
)
def test_what_is_fine(metadata: Any) -> None:
    assert list(problems_of_metadata(metadata)) == []


@pytest.mark.parametrize(
    ("metadata", "path", "right"),
    [
        (None, (), "a mapping with a name"),
        ({}, ("name",), "is required"),
        ({"name": ""}, ("name",), "is required"),
        ({"name": "BAD_Name"}, ("name",), "must be lower-case letters"),
        ({"name": "coins-"}, ("name",), "must be lower-case letters"),
        ({"name": "coins\n"}, ("name",), "must be lower-case letters"),
        ({"name": 7}, ("name",), "must be lower-case letters"),
        ({"name": "a" * 254}, ("name",), "253 characters"),
        ({"name": "a", "namespace": "Not OK"}, ("namespace",), "63 characters"),
        ({"name": "a", "namespace": "a.b"}, ("namespace",), "lower-case letters, digits and '-'"),
        ({"name": "a", "labels": ["a"]}, ("labels",), "must be a mapping"),
        ({"name": "a", "labels": {"a": 3}}, ("labels", "a"), "must be a text"),
        ({"name": "a", "labels": {"a": "b c"}}, ("labels", "a"), "must be letters"),
        ({"name": "a", "labels": {"a/b/c": ""}}, ("labels", "a/b/c"), "with a domain"),
        ({"name": "a", "annotations": {"a b": ""}}, ("annotations", "a b"), "must be a name"),
        ({"name": "a", "annotations": {"a": True}}, ("annotations", "a"), "must be a text"),
    ],
)
def test_what_is_not(metadata: Any, path: tuple[str, ...], right: str) -> None:
    [(found, message)] = problems_of_metadata(metadata)
    assert found == ("metadata", *path)
    assert right in message
