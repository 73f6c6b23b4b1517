"""When a checkpoint is worth its while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ENTRY_BYTES: Final = 64 << 10
"""An entry takes as long to ask for as so many bytes take to come (`benchmarks/`)."""
FEWEST_BYTES: Final = 64 << 20
"""A thousand small entries: a router that begins reads them within seconds."""


@dataclass(slots=True)
class Reading:
    """What a router that begins has to read behind the newest checkpoint.

    A checkpoint is due when that is as much as the checkpoint itself. So all of them together are
    never longer than the journal, and beginning takes at most twice what the items alone would.

    Attributes:
        entry_bytes: what the entries since the newest checkpoint cost to read.
        checkpoint_bytes: what that checkpoint costs.
    """

    entry_bytes: int = 0
    checkpoint_bytes: int = 0

    def add(self, size: int) -> None:
        """There is one entry more, of so many bytes."""
        self.entry_bytes += ENTRY_BYTES + size

    def restart(self) -> None:
        """A checkpoint is being written."""
        self.entry_bytes = 0

    @property
    def is_long(self) -> bool:
        """It is time for a checkpoint."""
        return self.entry_bytes >= max(FEWEST_BYTES, self.checkpoint_bytes)
