"""The colours of series and classes."""

from __future__ import annotations

from typing import Final

COLOURS: Final = (
    *("#3b82f6", "#f97316", "#10b981", "#e5484d"),
    *("#a78bfa", "#d4a017", "#22b8cf", "#ec4899"),
)
"""Each can be told apart on white and on near black."""


def colour(class_index: int) -> str:
    """The colour of a class; there are fewer colours than a dataset may have classes."""
    return COLOURS[class_index % len(COLOURS)]
