"""A queue of keys: each is in it once, and is worked on by one worker at a time.

As in client-go: adding a key that waits already changes nothing; adding one that is being worked on
makes it come again afterwards; a delayed key comes at the earliest of its times. The time is the
event loop's, so that tests can turn it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)


class Timer(Protocol):
    """asyncio.TimerHandle, as far as it is used."""

    def cancel(self) -> None:
        """The callback does not come."""
        ...

    def when(self) -> float:
        """When the callback comes."""
        ...


class Timers(Protocol):
    """asyncio.AbstractEventLoop, as far as it is used."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call back at that time."""
        ...


class ShutDown(Exception):  # noqa: N818 - the end of the queue, not a fault
    """The queue is closed: there is nothing more to get."""


class WorkQueue(Generic[K]):
    """Keys to work on, first come, first served.

    Args:
        timers: the event loop, or a stand-in whose clock a test turns.
        base_delay: seconds before the first retry of a key; doubles with each further one.
        max_delay: the longest of these delays.
    """

    def __init__(
        self, timers: Timers, *, base_delay: float = 0.05, max_delay: float = 300.0
    ) -> None:
        self._timers = timers
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._ready: dict[K, float] = {}
        self._active: dict[K, float] = {}
        self._again: set[K] = set()
        self._delayed: dict[K, Timer] = {}
        self._failures: dict[K, int] = {}
        self._getters: list[asyncio.Future[None]] = []
        self._closed = False

    def add(self, key: K) -> None:
        """Work on the key as soon as a worker is free. A later time set for it is void."""
        timer = self._delayed.pop(key, None)
        if timer is not None:
            timer.cancel()
        if self._closed or key in self._ready:
            return
        if key in self._active:
            self._again.add(key)
            return
        self._ready[key] = self._timers.time()
        self._wake_one()

    def add_after(self, key: K, delay: float) -> None:
        """Work on the key after `delay` seconds, or earlier if that was asked for before."""
        if delay <= 0:
            self.add(key)
            return
        if self._closed or key in self._ready or key in self._again:
            return
        when = self._timers.time() + delay
        timer = self._delayed.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._delayed[key] = self._timers.call_at(when, self.add, key)

    def retry(self, key: K) -> float:
        """Work on the key again after its delay, which doubles until `forget`. Says how long."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._base_delay * 2.0 ** min(failures, 60), self._max_delay)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key went well: its next retry starts from the first delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The key that waits longest. Call `done` with it afterwards, whatever happened.

        Raises:
            ShutDown: the queue is closed.
        """
        while not self._ready:
            if self._closed:
                raise ShutDown
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake_one()
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)
        if self._closed:
            raise ShutDown
        key = next(iter(self._ready))
        del self._ready[key]
        self._active[key] = self._timers.time()
        return key

    def done(self, key: K) -> None:
        """The worker is finished with the key; it comes again if it was added meanwhile."""
        self._active.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def oldest_age(self) -> float:
        """Seconds that the oldest key has been waiting for a worker, or has been worked on."""
        started = [*self._ready.values(), *self._active.values()]
        return self._timers.time() - min(started) if started else 0.0

    def close(self) -> None:
        """Hand out no more keys. Waiting workers end; busy ones finish what they do."""
        self._closed = True
        for timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._ready)

    def _wake_one(self) -> None:
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)
                return
