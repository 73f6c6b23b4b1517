"""One thing at a time beside the training, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)


class Background:
    """A block in which work goes on beside it; at its end, however it ends, none does.

    Whoever is told of a failure is told once: by the next call of whatever says `Raises`.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._work: Future[None] | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Begin with it as soon as what was begun before is done.

        Raises:
            BaseException: what that has raised; then this one is not begun.
        """
        self.wait()
        self._work = self._pool.submit(work)

    def wait(self) -> None:
        """Until what was begun is done.

        Raises:
            BaseException: what it has raised.
        """
        if self._work is None:
            return
        # A signal may end this: then somebody else waits for it.
        wait([self._work])
        work, self._work = self._work, None
        work.result()

    def check(self) -> None:
        """Go on at once, unless what was begun has failed.

        Raises:
            BaseException: what it has raised.
        """
        if self._work is not None and self._work.done():
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.wait()
        except BaseException as other:
            if error is None:
                raise
            logger.warning("beside that: %s", other)
        finally:
            self._pool.shutdown()
