"""How much of a sealed artifact goes to the small part, which the release API keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sealyard.errors import InvalidError


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """The target's limits: the small part is at most the smaller of both.

    Raises:
        InvalidError: a limit is outside of the range that every sealed artifact can keep.
    """

    max_bytes: int = 3072
    max_percent: int = 20

    def __post_init__(self) -> None:
        if not 320 <= self.max_bytes <= 3072:
            raise InvalidError(f"split.maxBytes: {self.max_bytes} must be between 320 and 3072")
        if not 8 <= self.max_percent <= 20:
            raise InvalidError(f"split.maxPercent: {self.max_percent} must be between 8 and 20")

    def small_limit(self, total: int) -> int:
        """The most bytes that the small part of `total` sealed bytes may have."""
        return min(self.max_bytes, total * self.max_percent // 100)


DEFAULT_LIMITS: Final = SplitLimits()
