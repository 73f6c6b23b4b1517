"""Files that no entry of the journal has, deleted once it is certain that none ever will.

Whoever makes an entry has written its files before. So what a message at the journal's end or
behind it would make may be somebody's who is about to file it; it is remembered, and judged once
the end has passed it. What is before the end and not in the journal is nobody's: a file is named
after the message that made it, and that one was filed without it.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sealyard.annotations.layout import offset_of
from sealyard_router.ledger import Ledger

SWEEP_SECONDS: Final = 600.0
"""A write of a router that is thought dead may come later than any look at what is there."""
_SHARE: Final = 0.01
_DELETED_AT_ONCE: Final = 1000

logger = logging.getLogger(__name__)


def pause_after(seconds: float) -> float:
    """How long to wait after looking through all files took some time: a hundredth at most."""
    return max(SWEEP_SECONDS, seconds / _SHARE)


class Strays:
    """Deletes files that no entry has. Safe to use from many threads.

    Args:
        ledger: says what the journal has.
        delete: deletes files.
    """

    def __init__(self, ledger: Ledger, delete: Callable[[Sequence[str]], None]) -> None:
        self._ledger = ledger
        self._delete = delete
        self._lock = threading.Lock()
        self._early: list[tuple[int, str]] = []
        """A heap: what is not before the journal's end, by its offset."""

    def judge(self, keys: Iterable[str]) -> None:
        """Delete those of some files that are strays, and remember those that may become one."""
        self._remove(key for key in keys if self._is_stray(key))
        # The end may have passed what was remembered before it was.
        self.settle()

    def settle(self) -> None:
        """Judge what the journal's end has passed by now."""
        end, passed = self._ledger.end, []
        with self._lock:
            while self._early and self._early[0][0] < end:
                passed.append(heapq.heappop(self._early)[1])
        self._remove(key for key in passed if not self._ledger.has(key))

    def _is_stray(self, key: str) -> bool:
        offset = offset_of(key)
        if offset is None:
            return False
        if offset < self._ledger.end:
            return not self._ledger.has(key)
        with self._lock:
            heapq.heappush(self._early, (offset, key))
        return False

    def _remove(self, keys: Iterable[str]) -> None:
        waiting: list[str] = []
        for key in keys:
            waiting.append(key)
            if len(waiting) == _DELETED_AT_ONCE:
                self._delete(waiting)
                waiting = []
        if waiting:
            logger.info("deleting %d files that no entry has", len(waiting))
            self._delete(waiting)
