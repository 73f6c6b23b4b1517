"""Several segments at once, in order and in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

AHEAD: Final = 4
"""Segments that are worked on, or done and not yet taken. Each holds about 2 MiB."""


def in_threads(
    work: Callable[[int], T],
    count: int,
    /,
    *,
    workers: int | None = None,
    ahead: int = AHEAD,
    leaving: Callable[[], object] = lambda: None,
) -> Iterator[T]:
    """Does a piece of work for 0, 1, … `count` - 1 and gives the results in this order.

    The first error ends it, when its turn comes; so does leaving the loop early. Either way no
    thread is left when it has ended.

    Args:
        work: does one piece.
        count: how many there are.
        workers: at most so many at once, begun in order; every core that the process may use
            without it, and never more than `ahead`.
        ahead: pieces that are worked on, or done and not yet taken.
        leaving: called before the last threads are waited for; it may tell them to stop.
    """
    cores = len(os.sched_getaffinity(0))
    workers = max(1, min(ahead, workers or cores, count))
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="segment") as pool:
        try:
            for index in range(count):
                if len(pending) == ahead:
                    yield pending.popleft().result()
                pending.append(pool.submit(work, index))
            while pending:
                yield pending.popleft().result()
        finally:
            leaving()
            for future in pending:
                future.cancel()
