"""A checkpoint while it is being written."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from sealyard.annotations.journal import NamedCheckpoint
from sealyard.annotations.layout import checkpoint_key
from sealyard.annotations.lines import CheckpointHeader
from sealyard_router.checkpoints import Reading
from sealyard_router.store import Store

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Checkpointing:
    """A checkpoint that is about to be written, from whatever thread.

    Attributes:
        written: what the next entry says of it, once it is there.
    """

    header: CheckpointHeader
    items: Iterator[bytes]
    reading: Reading
    written: NamedCheckpoint | None = None

    def write(self, store: Store) -> None:
        """Write it.

        Raises:
            UnavailableError: the store is away; the next one will do.
        """
        size, digest = 0, hashlib.sha256()

        def counted() -> Iterator[bytes]:
            nonlocal size
            first = self.header.model_dump_json(by_alias=True, exclude_none=True).encode()
            for line in itertools.chain((first,), self.items):
                size += len(line) + 1
                digest.update(line + b"\n")
                yield line + b"\n"

        sequence, offset = self.header.sequence, self.header.offset
        key = checkpoint_key(sequence, offset)
        store.put_pieces(key, counted())
        self.reading.checkpoint_bytes = size
        self.written = NamedCheckpoint(sequence=sequence, offset=offset, sha256=digest.hexdigest())
        logger.info("%s has %d bytes", key, size)
