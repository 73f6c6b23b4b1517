"""A stream that was made anew, and one that only shows less than it has."""

from __future__ import annotations

import pytest

from sealyard.annotations.chunk import Chunk
from sealyard.errors import IntegrityError, SealyardError, UnavailableError
from sealyard_router.continuity import Place, check_continuity

TAKEN = 1_764_000_000_123
FILED = Place(40, TAKEN)


def a_chunk(first: int, count: int, time_ms: int = TAKEN) -> Chunk:
    return Chunk(0, time_ms, first, first + count, [])


CASES: dict[str, tuple[Place, Chunk | None, tuple[type[SealyardError], str] | None]] = {
    "nothing was filed": (Place(), None, None),
    "nobody knows when": (Place(40), a_chunk(0, 10, 0), None),
    "the message that was filed": (FILED, a_chunk(39, 1), None),
    "in the midst of its chunk": (FILED, a_chunk(30, 20), None),
    "it was deleted": (FILED, a_chunk(40, 5, TAKEN + 9), None),
    "it was deleted, and a clock was set back": (FILED, a_chunk(50, 5, TAKEN - 9), None),
    "another message": (
        FILED,
        a_chunk(30, 20, TAKEN + 1),
        (IntegrityError, "what it has at offset 39 is not what was filed up to offset 39: it was"),
    ),
    "another message, from before": (
        FILED,
        a_chunk(30, 10, TAKEN - 1),
        (IntegrityError, "stream s: what it has at offset 39 is not what was filed"),
    ),
    "it is shorter, and from later": (
        FILED,
        a_chunk(0, 10, TAKEN + 1),
        (IntegrityError, "what it has at offset 9 is not what was filed up to offset 39"),
    ),
    "it is shorter, and from before": (
        FILED,
        a_chunk(30, 9, TAKEN - 1),
        (UnavailableError, "stream s: it shows nothing after offset 38, and was filed up to 39"),
    ),
    "it is empty": (
        FILED,
        None,
        (UnavailableError, "stream s: it shows nothing, and was filed up to offset 39; if it was"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_continuity(case: str) -> None:
    place, chunk, refused = CASES[case]
    if refused is None:
        check_continuity(place, chunk, "stream s")
        return
    kind, said = refused
    with pytest.raises(kind) as caught:
        check_continuity(place, chunk, "stream s")
    assert said in str(caught.value)


def test_a_record_says_when_to_the_millisecond() -> None:
    assert Place.after(40, "2025-11-24T16:00:00.123Z") == FILED
    assert Place.after(40, None) == Place(40)
