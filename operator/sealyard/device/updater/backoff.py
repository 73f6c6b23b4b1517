"""How long the updater waits: its interval, and longer after failures; always jittered. Pure."""

from __future__ import annotations

from typing import Final

LONGEST_SECONDS: Final = 3600.0
_FIRST_SECONDS: Final = 10.0


def pause_seconds(interval: float, failures: int, chance: float) -> float:
    """Seconds until the next look.

    After a failure soon again, then at twice the time each, up to an hour or the interval. Jitter
    keeps a fleet that lost its network together from coming back together.

    Args:
        interval: between two looks that succeed.
        failures: how many have failed since the last that succeeded.
        chance: random, from 0 to 1.
    """
    base = interval
    if failures:
        base = min(_FIRST_SECONDS * 2.0 ** min(failures - 1, 20), max(interval, LONGEST_SECONDS))
    return base * (0.75 + 0.5 * chance)
