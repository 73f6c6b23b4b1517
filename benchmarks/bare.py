"""What sealing cannot do without, and nothing else: the bound that a machine sets.

Every core reads its share of the segments, encrypts each with AES-256-GCM, hashes it before and
after with SHA-256, and writes it. There is no order, no tree, no header, and no hand-over between
threads: a plaintext's one digest over all segments cannot be split like this, so no sealer that
makes both digests can be faster.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealyard.delivery.buffers import Buffers
from sealyard.sealing.layout import SEGMENT_BYTES

_TAG_BYTES: Final = 16
_SEALED_BYTES: Final = SEGMENT_BYTES + _TAG_BYTES

Step: TypeAlias = Callable[[int, memoryview, memoryview], None]
Write: TypeAlias = Callable[[int, memoryview], object]
"""Takes bytes at an offset, from any thread; they are the caller's again afterwards."""


class Bare:
    """The bare operations, as a `sealers.Sealer`."""

    def __init__(self) -> None:
        self._cipher = AESGCM(bytes(32))

    def seal(self, source: Path, target: Path) -> None:
        """Encrypt and hash the segments of a file."""
        with target.open("wb") as writer:
            self.seal_to(source, lambda offset, out: os.pwrite(writer.fileno(), out, offset))

    def seal_to(self, source: Path, write: Write) -> None:
        """The same to somewhere else, about in order."""
        _on_every_core(source, write, self._seal, read=SEGMENT_BYTES, written=_SEALED_BYTES)

    def open(self, source: Path, target: Path) -> None:
        """Decrypt them."""
        with target.open("wb") as writer:
            _on_every_core(
                source,
                lambda offset, out: os.pwrite(writer.fileno(), out, offset),
                self._open,
                read=_SEALED_BYTES,
                written=SEGMENT_BYTES,
            )

    def _seal(self, index: int, plain: memoryview, out: memoryview) -> None:
        self._cipher.encrypt_into(_nonce(index), plain, None, out)
        hashlib.sha256(plain).digest()
        hashlib.sha256(out).digest()

    def _open(self, index: int, sealed: memoryview, out: memoryview) -> None:
        self._cipher.decrypt_into(_nonce(index), sealed, None, out)


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def sealed_bytes(size: int) -> int:
    """How many bytes the segments of a file of this size have once they are encrypted."""
    return size + -(-size // SEGMENT_BYTES) * _TAG_BYTES


def _on_every_core(source: Path, write: Write, step: Step, *, read: int, written: int) -> None:
    cores = len(os.sched_getaffinity(0))
    with source.open("rb") as reader:
        count = -(-os.fstat(reader.fileno()).st_size // read)

        def share(segments: Iterable[int]) -> None:
            before, after = Buffers(read).take(), Buffers(written).take()
            for index in segments:
                got = os.preadv(reader.fileno(), [before], index * read)
                out = after[: got + written - read]
                step(index, before[:got], out)
                write(index * written, out)

        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(share, (range(core, count, cores) for core in range(cores))))
