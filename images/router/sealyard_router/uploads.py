"""Requests to a store from several threads, which take them in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

UPLOADS: Final = 16
"""A small file waits for the store more than for us."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Requests that were begun together."""

    _requests: tuple[Future[None], ...]

    def finish(self) -> None:
        """Wait for all of them.

        Raises:
            Exception: of the first that failed; those that were not begun never are.
        """
        try:
            for request in self._requests:
                request.result()
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Begin none any more, and wait for those that are on their way."""
        for request in self._requests:
            request.cancel()
        wait(self._requests)


class Uploads:
    """So many threads.

    Args:
        name: of theirs.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix=name)

    def begin(self, work: Iterable[T], action: Callable[[T], None]) -> Upload:
        """Have `action` done for each piece of work."""
        return Upload(tuple(self._pool.submit(action, piece) for piece in work))

    def close(self) -> None:
        """Wait for requests that are on their way, and forget the others."""
        self._pool.shutdown(cancel_futures=True)
