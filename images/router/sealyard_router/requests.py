"""Requests to the store that are under way, and whether one hangs.

What is away fails, and is tried again. But a thread that the kernel does not wake, as where the
server of a mounted volume is gone, says nothing at all: it looks like one that has nothing to do.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

PATIENCE_SECONDS: Final = 300.0
"""Longer than a store takes that answers at all, with all its attempts."""
_SLOWEST_BYTES_PER_SECOND: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class Request:
    """One that has not been answered.

    Attributes:
        key: of the file that it is about.
        size: bytes that go with it.
        begun: in seconds, of any clock.
    """

    key: str
    size: int
    begun: float

    @property
    def due(self) -> float:
        """When it hangs if it is not answered, by the same clock."""
        return self.begun + PATIENCE_SECONDS + self.size / _SLOWEST_BYTES_PER_SECOND


def hanging(requests: Iterable[Request], now: float) -> str | None:
    """One line on the request that hangs for longest; None where none does."""
    late = min((one for one in requests if one.due < now), key=lambda one: one.begun, default=None)
    if late is None:
        return None
    return f"nothing has come of {late.key} for {now - late.begun:.0f} s; the storage hangs"


class Requests:
    """Those that are under way. Safe to use from many threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._under_way: dict[int, Request] = {}

    @contextlib.contextmanager
    def made(self, key: str, size: int = 0) -> Iterator[None]:
        """While a request is under way."""
        request = Request(key, size, self._clock())
        with self._lock:
            number = next(self._numbers)
            self._under_way[number] = request
        try:
            yield
        finally:
            with self._lock:
                del self._under_way[number]

    @property
    def hanging(self) -> str | None:
        """See `hanging`."""
        with self._lock:
            requests = list(self._under_way.values())
        return hanging(requests, self._clock())
