"""Why an index is not believed: each reason is an error of its own.

python-tuf's words quote what a server sent, so only a short, printable piece of them is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)

from sealyard.delivery.http import TooLongError
from sealyard.errors import IntegrityError, MissingError, SealyardError, UnavailableError

_SHOWN = 160


class TrustError(IntegrityError):
    """What was served is not signed by those who must sign it, or is no part of the index."""


class RollbackError(TrustError):
    """What was served is older than what was seen before, or mixed from two moments."""


class StaleIndexError(UnavailableError):
    """Nobody has vouched for the index lately: it is held back, or it is not signed anew."""


class ExpiredReleaseError(IntegrityError):
    """The release is listed, but its time is over."""


class NotListedError(MissingError):
    """The index lists no such release or channel: it was never listed, or it was withdrawn."""


# The first that fits.
_MEANING: Final[Sequence[tuple[type[Exception], type[SealyardError], str]]] = (
    (
        UnsignedMetadataError,
        TrustError,
        "its index is not signed by the keys that the root names",
    ),
    (
        BadVersionNumberError,
        RollbackError,
        "its index is older than one that was seen, or mixed from two",
    ),
    (
        ExpiredMetadataError,
        StaleIndexError,
        "its index is out of date; it must be signed anew, or somebody holds the newer one back",
    ),
    (LengthOrHashMismatchError, TrustError, "a file is not the one that its index names"),
    (DownloadLengthMismatchError, TooLongError, "a file is longer than its index says"),
    (RepositoryError, TrustError, "its index cannot be believed"),
)


def explained(error: RepositoryError | DownloadError, server: str) -> SealyardError:
    """An error of python-tuf as one of ours.

    Args:
        error: what it raised.
        server: what served the index, as messages call it.
    """
    for kind, ours, says in _MEANING:
        if isinstance(error, kind):
            return ours(f"{server}: {says} ({printable(str(error))})")
    return UnavailableError(f"{server}: its index cannot be fetched ({printable(str(error))})")


def printable(text: str) -> str:
    """The beginning of what somebody else said, in one line."""
    return ascii(text)[1:-1][:_SHOWN]
