"""What a stream gives, and how it is asked: the seam between the broker's client and filing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from sealyard_router.continuity import Place


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the stream keeps it.

    Attributes:
        offset: its place in the stream. Offsets grow; there may be gaps.
        time_ms: when the broker took it, in milliseconds since the epoch.
        body: what was published.
        user_id: who published it, as the message's properties say; the broker has checked it where
            it came through an exchange.
        fault: why `body` is not all of it, in one line; None where it is.
    """

    offset: int
    time_ms: int
    body: bytes
    user_id: str | None = None
    fault: str | None = None


class Source(Protocol):
    """A stream that is read from some offset on.

    Every method may raise:
        UnavailableError: the broker cannot be reached, or shows a certificate of another name.
            What was opened is closed; it may be opened again.
        RefusedError: it refuses the credential.
        MissingError: there is no such stream or virtual host.
    """

    async def open(self, place: Place) -> None:
        """Begin with the first message whose offset is at least that of `place`.

        Raises:
            IntegrityError: it is another stream of the same name.
        """

    def deliveries(self) -> AsyncIterator[list[Delivery]]:
        """What comes, in order of offset, none of them empty; ends only with an error.

        What was given and not yet taken away is bounded: the broker is asked for more only as the
        iterator is advanced.
        """

    async def first_offset(self) -> int | None:
        """The offset of the oldest message that the broker still has; None where it has none."""

    async def last_offset(self) -> int | None:
        """The offset of the newest message, or close before it; None where there is none."""

    async def close(self) -> None:
        """Give the connection back. Closing what is closed does nothing."""
