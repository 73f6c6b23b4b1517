"""What is wrong with some of many things, told at the end, so that the others need not wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sealyard.api.answers import MAX_FAILURE_LENGTH, MAX_FAILURES
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
)

_SHOWN: Final = 3
# What stalls comes before what waits for a key or a part to come back.
_GRAVEST_FIRST: Final = (IntegrityError, InvalidError, MissingError, RefusedError)


def located(where: str, error: SealyardError) -> SealyardError:
    """The same error, which says where it was met."""
    text = str(error)
    return type(error)(text if where in text else f"{where}: {text}")


def shown(troubles: Sequence[SealyardError]) -> tuple[str, ...]:
    """The first few in one line each, as short as an answer holds them."""
    return tuple(" ".join(str(one).split())[:MAX_FAILURE_LENGTH] for one in troubles[:MAX_FAILURES])


def gravest(troubles: Sequence[SealyardError], summary: str) -> SealyardError:
    """One error for all, of the gravest kind, that names the first few of that kind.

    Args:
        troubles: at least one, each of the kinds that stand for one thing alone.
        summary: what comes first, such as how much was done.
    """
    kind = next(
        kind for kind in _GRAVEST_FIRST if any(isinstance(trouble, kind) for trouble in troubles)
    )
    gravest_first = sorted(troubles, key=lambda trouble: not isinstance(trouble, kind))
    said = [str(trouble) for trouble in gravest_first[:_SHOWN]]
    more = len(troubles) - len(said)
    if more:
        said.append(f"and {more} more")
    return kind(f"{summary}: {'; '.join(said)}")
