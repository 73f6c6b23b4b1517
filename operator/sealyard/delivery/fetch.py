"""Fetch a big part into a file, and go on with what an earlier pull left there."""

from __future__ import annotations

from sealyard.delivery.buffers import Buffers
from sealyard.delivery.opening_pipeline import Progress
from sealyard.delivery.partial import Partial
from sealyard.delivery.readers import FileReader, ObjectReader, digest_of
from sealyard.delivery.threads import in_threads
from sealyard.sealing.formats import Opener
from sealyard.sealing.layout import Range
from sealyard.sealing.manifest import Entry


def proved_segments(opener: Opener, before: FileReader) -> int:
    """How many segments an earlier pull left whole: those before the first that is not right."""
    layout = opener.layout
    buffers = Buffers(layout.buffer_bytes)

    def proves(index: int) -> bool:
        offset, length = layout.read_range(index)
        buffer = buffers.take()
        sealed = buffer[:length]
        right = opener.proves(index, sealed[: before.read_into(offset, sealed)])
        buffers.give_back(buffer)
        return right

    count = layout.whole_segments(before.size)
    for index, right in enumerate(in_threads(proves, count)):
        if not right:
            return index
    return count


def fetch_all(remote: ObjectReader, entry: Entry, partial: Partial, *, progress: Progress) -> None:
    """Fetch what is missing of a part that proves itself only as a whole.

    If it is not right with what an earlier pull left, all of it is fetched anew, once. If it is
    not right after that, whoever opens it will say so.

    Raises:
        IntegrityError, MissingError, UnavailableError, RefusedError: as the CDN says.
    """
    resumed = partial.size > 0
    _fetch(remote, partial, progress)
    if resumed:
        with partial.reader() as whole:
            right = digest_of(whole) == entry.variant.big.sha256
        if not right:
            partial.cut(0)
            _fetch(remote, partial, progress)


def _fetch(remote: ObjectReader, partial: Partial, progress: Progress) -> None:
    partial.cut(remote.size)
    progress(partial.size, remote.size)
    for piece in remote.stream(Range(partial.size, remote.size - partial.size)):
        partial.append(piece)
        progress(partial.size, remote.size)
