"""How much of a sealed artifact goes to the small part, which the release API keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sealyard.errors import InvalidError

MAX_BYTES_FROM_TO: Final = (320, 3072)
MAX_PERCENT_FROM_TO: Final = (8, 20)


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """The target's limits: the small part is at most the smaller of both.

    Raises:
        InvalidError: a limit is outside of the range that every sealed artifact can keep.
    """

    max_bytes: int = 3072
    max_percent: int = 20

    def __post_init__(self) -> None:
        for field, value, (least, most) in (
            ("split.maxBytes", self.max_bytes, MAX_BYTES_FROM_TO),
            ("split.maxPercent", self.max_percent, MAX_PERCENT_FROM_TO),
        ):
            if not least <= value <= most:
                raise InvalidError(f"{field}: {value} must be between {least} and {most}")

    def small_limit(self, total: int) -> int:
        """The most bytes that the small part of `total` sealed bytes may have."""
        return min(self.max_bytes, total * self.max_percent // 100)


DEFAULT_LIMITS: Final = SplitLimits()
