"""A few more tries within one Job; the operator's own backoff takes over after that."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sealyard.errors import UnavailableError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class TransientError(UnavailableError):
    """A remote failed in a way that may be over in a moment.

    Attributes:
        wait_seconds: how long the remote asks to wait, if it said so.
    """

    def __init__(self, message: str, *, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently.

    Attributes:
        attempts: at most so many in all.
        first_pause_seconds: before the second attempt; doubles after that, always jittered.
        longest_wait_seconds: a remote that asks for more patience than this is unavailable.
        sleep: what waits.
    """

    attempts: int = 3
    first_pause_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, action: Callable[[], T]) -> T:
        """The result of the first attempt that succeeds.

        Raises:
            UnavailableError: none did; the error of the last one.
        """
        for attempt in range(1, self.attempts):
            try:
                return action()
            except TransientError as error:
                pause = error.wait_seconds
                if pause is None:
                    pause = self.first_pause_seconds * 2 ** (attempt - 1)
                    pause *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
                if pause > self.longest_wait_seconds:
                    raise
                logger.info("%s; attempt %d of %d failed", error, attempt, self.attempts)
                self.sleep(pause)
        return action()
