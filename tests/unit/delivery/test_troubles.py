from __future__ import annotations

from collections.abc import Sequence

import pytest

from sealyard.delivery.troubles import gravest, located
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
)


@pytest.mark.parametrize(
    ("troubles", "kind", "said"),
    [
        ([MissingError("a")], MissingError, "some: a"),
        ([RefusedError("a"), MissingError("b")], MissingError, "some: b; a"),
        ([RefusedError("a")], RefusedError, "some: a"),
        ([MissingError("a"), InvalidError("b")], InvalidError, "some: b; a"),
        (
            [MissingError("a"), InvalidError("b"), IntegrityError("c")],
            IntegrityError,
            "some: c; a; b",
        ),
        ([MissingError(text) for text in "abcde"], MissingError, "some: a; b; c; and 2 more"),
    ],
)
def test_the_gravest_comes_first(
    troubles: Sequence[SealyardError], kind: type[SealyardError], said: str
) -> None:
    error = gravest(troubles, "some")
    assert (type(error), str(error)) == (kind, said)


@pytest.mark.parametrize(("text", "said"), [("b", "here: b"), ("here it is", "here it is")])
def test_where_is_said_once(text: str, said: str) -> None:
    error = located("here", MissingError(text))
    assert (type(error), str(error)) == (MissingError, said)
