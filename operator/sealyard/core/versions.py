"""Versions and ranges of them, in the grammar that npm made known (node-semver)."""

from __future__ import annotations

from collections.abc import Iterable

import nodesemver

_LOOSE = False


def is_range(text: str) -> bool:
    """Whether a text is a version or a range."""
    return nodesemver.valid_range(text, _LOOSE) is not None


def highest(versions: Iterable[str], wanted: str) -> str | None:
    """The version of the highest precedence within a range, or None.

    A pre-release counts only if the range names one of the same major, minor and patch.
    """
    found: str | None = nodesemver.max_satisfying(list(versions), wanted, _LOOSE)
    return found
