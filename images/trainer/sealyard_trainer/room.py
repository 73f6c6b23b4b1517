"""How much of a dataset the workspace still takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sealyard_trainer.fetch_watch import amount


@dataclass(frozen=True, slots=True)
class Room:
    """How much a volume takes: what is free on it, and less where all of it has a limit.

    Attributes:
        volume: the workspace's.
        limit: what everything in it may have, in bytes, where it is the copy of a store.
    """

    volume: Path
    limit: int | None = None

    def within(self, free: int) -> int:
        """How much of `free` bytes may be used."""
        if self.limit is None:
            return free
        used = sum(
            Path(folder, name).lstat().st_size
            for folder, _, names in os.walk(self.volume)
            for name in names
        )
        return min(free, max(self.limit - used, 0))

    @property
    def advice(self) -> str:
        """What to do where it is too little."""
        if self.limit is None:
            return "enlarge the workspace's claim, or make room in it"
        return f"spec.workspace.s3.cacheSize is {amount(self.limit)}, and more is wanted"
