"""Whether a stream is the one that was filed so far: names and offsets begin anew with a new one.

The broker writes down when it took each chunk, and every replica has the same. So a message that
was filed is known by its offset and its time. Only what proves another stream ends a router: a
broker that is slow, or a replica that lags behind, shows less than there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sealyard.annotations.chunk import Chunk
from sealyard.errors import IntegrityError, UnavailableError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream is read from.

    Attributes:
        offset: of the first message that is wanted.
        taken_ms: when the broker took the message before it, in milliseconds since the epoch; None
            where there was none.
    """

    offset: int = 0
    taken_ms: int | None = None

    @classmethod
    def after(cls, offset: int, taken: str | None) -> Place:
        """Where the journal ends; its records say when the broker took a message in RFC 3339."""
        if taken is None:
            return cls(offset)
        since = datetime.fromisoformat(taken) - datetime.fromtimestamp(0, UTC)
        return cls(offset, since // timedelta(milliseconds=1))


def check_continuity(place: Place, chunk: Chunk | None, about: str) -> None:
    """Refuse a stream that was made anew.

    Args:
        place: where it is to be read from.
        chunk: the one with the message before `place`; the oldest where that was deleted, the
            newest where there is none so far; None where nothing is shown.
        about: the stream, in words.

    Raises:
        IntegrityError: it is another one.
        UnavailableError: it shows less than was filed, which may be all that it has so far.
    """
    if place.taken_ms is None:
        return
    last = place.offset - 1
    if chunk is None:
        raise UnavailableError(
            f"{about}: it shows nothing, and was filed up to offset {last}; if it was made anew, "
            "give the route a new storage"
        )
    if chunk.first > last:
        # What was filed is deleted. Whatever that means, the offsets between are counted as lost.
        return
    if chunk.end > last and chunk.time_ms == place.taken_ms:
        return
    if chunk.end <= last and chunk.time_ms <= place.taken_ms:
        raise UnavailableError(
            f"{about}: it shows nothing after offset {chunk.end - 1}, and was filed up to {last}; "
            "waiting for a replica that lags behind"
        )
    raise IntegrityError(
        f"{about}: what it has at offset {min(last, chunk.end - 1)} is not what was filed up to "
        f"offset {last}: it was made anew; give the route a new storage, or restore the stream"
    )
