"""Open on every core: read or fetch sealed segments, check, decrypt and write them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from sealyard.delivery.buffers import Buffers
from sealyard.delivery.readers import Source
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError
from sealyard.sealing.formats import Opener
from sealyard.sealing.layout import SEGMENT_BYTES
from sealyard.sealing.manifest import Entry
from sealyard.sealing.slots import not_opened

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of how many are done."""
Write: TypeAlias = Callable[[int, memoryview], object]
"""Takes bytes at an offset, from any thread; they are the caller's again afterwards."""
Arrived: TypeAlias = Callable[[memoryview], object]
"""Takes sealed bytes in order; they are the caller's again afterwards."""


class Opening:
    """One artifact that is being opened.

    Args:
        opener: from `formats.open_sealed`.
        write: takes the plaintext, which may be used once `finish` has returned; without it the
            artifact is opened to prove that it opens.
        hashing: whether the plaintext is hashed also where its segments prove themselves.
        progress: told how much of the plaintext there is.
    """

    def __init__(
        self,
        opener: Opener,
        *,
        write: Write = lambda _offset, _plain: None,
        hashing: bool = False,
        progress: Progress = lambda _done, _all: None,
    ) -> None:
        self._opener = opener
        self._write = write
        self._progress = progress
        self._digest = hashlib.sha256() if hashing or not opener.authenticated else None
        self._done = 0

    def open_from(
        self,
        source: Source,
        segments: range,
        *,
        arrived: Arrived = lambda _sealed: None,
    ) -> None:
        """Open segments in bounded memory, several at a time, all buffers used again.

        Args:
            source: the big part.
            segments: which, one after the other.
            arrived: takes the segments as they are in big, once they were opened.

        Raises:
            IntegrityError: a segment is not what was sealed.
        """
        layout = self._opener.layout
        step = max(1, min(source.at_once // SEGMENT_BYTES, len(segments)))
        kept = step if self._digest is not None else 1
        sealed_buffers, plain_buffers = (Buffers(layout.span_bytes(n)) for n in (step, kept))

        def open_some(number: int) -> tuple[memoryview, memoryview, memoryview, int]:
            some = segments[number * step : (number + 1) * step]
            span = layout.read_span(some)
            sealed_buffer, plain_buffer = sealed_buffers.take(), plain_buffers.take()
            read = sealed_buffer[: span.length]
            if source.read_into(span.offset, read) != span.length:
                raise IntegrityError(f"big part: it ends before {sum(span)} bytes")
            length = self._open(some, read, plain_buffer)
            sealed = read[layout.big_range(some[0]).offset - span.offset :]
            return sealed_buffer, sealed, plain_buffer, length

        count = -(-len(segments) // step)
        for sealed_buffer, sealed, plain_buffer, length in in_threads(
            open_some, count, workers=source.in_flight
        ):
            arrived(sealed)
            if self._digest is not None:
                self._digest.update(plain_buffer[:length])
            self._done += length
            self._progress(self._done, layout.plaintext_bytes)
            sealed_buffers.give_back(sealed_buffer)
            plain_buffers.give_back(plain_buffer)

    @property
    def sha256(self) -> str | None:
        """The hex digest of what was opened until now, if it is hashed."""
        return self._digest.hexdigest() if self._digest is not None else None

    def finish(self, entry: Entry) -> None:
        """Compare the whole plaintext's digest, where segments do not prove themselves.

        Raises:
            IntegrityError: it is not what was sealed.
        """
        if not self._opener.authenticated and self.sha256 != entry.plaintext_sha256:
            raise not_opened()

    def _open(self, segments: range, read: memoryview, out: memoryview) -> int:
        """How many bytes of plaintext were opened and written.

        They stay in `out` one after the other if they are to be hashed, in their turn; else each
        segment takes the place of the one before, where the processor still has it.
        """
        layout = self._opener.layout
        begin, done = layout.read_span(segments).offset, 0
        for index in segments:
            start, size = layout.read_range(index)
            room = out[done:] if self._digest is not None else out
            length = self._opener.open_segment(
                index, read[start - begin : start - begin + size], room
            )
            self._write(layout.plaintext_range(index).offset, room[:length])
            done += length
        return done
