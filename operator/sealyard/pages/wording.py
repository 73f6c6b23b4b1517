"""Names that come from data, as they may be shown: printable, and short where there is no room."""

from __future__ import annotations

LONGEST_NAME = 120
LONGEST_LABEL = 24
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def shown(name: str, longest: int = LONGEST_NAME) -> str:
    """A name without what is no character to look at, such as one that turns the text around."""
    text = "".join(each if each.isprintable() else UNPRINTABLE for each in name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def label(name: str) -> str:
    """A name beside an axis or a box."""
    return shown(name, LONGEST_LABEL)
