"""Says in the log how far the fetching of a dataset is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOGGED_EVERY_SECONDS = 10.0

logger = logging.getLogger(__name__)


class FetchWatch:
    """One fetching.

    Args:
        alive: called after each file, also one that was there, and may end it by raising.
    """

    def __init__(self, alive: Callable[[], object]) -> None:
        self._alive = alive
        self._all = (0, 0)
        self._began = self._said = time.monotonic()

    def begin(self, wanted: int, missing: int, size: int) -> None:
        """Before the pictures are fetched: how many files there are to be, and how many and how
        many bytes are not there yet."""
        self._all = missing, size
        self._began = self._said = time.monotonic()
        logger.info(
            "dataset: %d files are wanted, %d of them are there; fetching %s",
            wanted,
            wanted - missing,
            amount(size),
        )

    def fetched(self, files: int, size: int) -> None:
        """After a file: how many files and bytes came since the beginning."""
        self._alive()
        now = time.monotonic()
        if self._all[0] and now - self._said >= LOGGED_EVERY_SECONDS:
            self._said = now
            logger.info(
                "dataset: fetched %d of %d files, %s of %s",
                *(files, self._all[0], amount(size), amount(self._all[1])),
            )

    def end(self) -> None:
        """After the last one."""
        if self._all[0]:
            seconds = time.monotonic() - self._began
            logger.info("dataset: fetched %s in %.1f s", amount(self._all[1]), seconds)


def amount(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
