"""Seal on every core: read, seal and write segments at once, and hash the plaintext beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from sealyard.delivery.buffers import Buffers
from sealyard.delivery.readers import FileReader
from sealyard.delivery.threads import in_threads
from sealyard.errors import InvalidError
from sealyard.sealing.formats import Sealer
from sealyard.sealing.layout import SEGMENT_BYTES

Write: TypeAlias = Callable[[int, memoryview], object]
"""Takes bytes of big at an offset, from any thread; they are the caller's again afterwards."""


def seal_to(
    sealer: Sealer,
    plaintext: FileReader,
    write: Write,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> str:
    """Seal all of a file; each byte of big is written once, the trailer last.

    Args:
        sealer: fresh, or resumed.
        plaintext: what is sealed.
        write: takes big's bytes; segments come about in order where the format is `parallel`, else
            in order.
        progress: told how many bytes of how many are sealed.

    Returns:
        The hex SHA-256 of the plaintext, of the very bytes that were sealed.

    Raises:
        InvalidError: the plaintext is not as long as was said.
    """
    layout = sealer.layout
    if plaintext.size != layout.plaintext_bytes:
        raise InvalidError(
            f"plaintext: {plaintext.size} bytes, expected {layout.plaintext_bytes}: it changed"
        )
    # A plaintext waits for its turn to be hashed; what it became is written at once.
    plains, outs = Buffers(SEGMENT_BYTES), Buffers(layout.buffer_bytes)

    def seal(index: int) -> tuple[memoryview, memoryview]:
        offset, length = layout.plaintext_range(index)
        buffer, out = plains.take(), outs.take()
        plain = buffer[:length]
        # Shorter than it was when its size was asked: the sealer refuses it.
        plain = plain[: plaintext.read_into(offset, plain)]
        sealed = out[: sealer.seal_segment(index, plain, out)]
        write(layout.big_range(index).offset, sealed)
        outs.give_back(out)
        return buffer, plain

    digest, done = hashlib.sha256(), 0
    workers = None if sealer.parallel else 1
    for buffer, plain in in_threads(seal, layout.segments, workers=workers):
        digest.update(plain)
        done += len(plain)
        plains.give_back(buffer)
        progress(done, layout.plaintext_bytes)
    if layout.trailer_bytes:
        write(layout.trailer_range.offset, memoryview(sealer.finish().trailer))
    return digest.hexdigest()
