"""A store that is away is waited for: filing stops, and goes on when it is back."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from prometheus_client import Counter

from sealyard.api.annotation_route import FilingProblem
from sealyard.delivery.http import Buffer
from sealyard.delivery.s3_requests import StorageFullError
from sealyard.errors import UnavailableError
from sealyard_router.requests import Requests
from sealyard_router.store import Store
from sealyard_router.troubles import Troubles

T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0


class StoppedError(Exception):
    """The program ends; what was being waited for does not matter any more."""


def pauses() -> Iterator[float]:
    """How long to wait before each further attempt, in seconds."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
        longest = min(longest * 2, LONGEST_PAUSE_SECONDS)


class Patience:
    """Makes requests until they succeed, and tells of it while they do not.

    Args:
        problem: what it is called when a request fails.
        troubles: where that is told.
        stopped: ends all waiting.
        failures: counts the requests that failed, by problem.
    """

    def __init__(
        self,
        problem: FilingProblem,
        troubles: Troubles,
        stopped: threading.Event,
        failures: Counter,
    ) -> None:
        self._problem = problem
        self._begun: set[FilingProblem] = set()
        self._troubles = troubles
        self._stopped = stopped
        self._failures = failures

    def call(self, action: Callable[[], T]) -> T:
        """What `action` gives when it succeeds.

        Raises:
            StoppedError: the program ends.
            SealyardError: it fails in a way that waiting does not mend.
        """
        for pause in pauses():
            try:
                result = action()
            except UnavailableError as error:
                self._wait(error, pause)
            else:
                self._succeeded()
                return result
        raise AssertionError("pauses have no end")

    def _succeeded(self) -> None:
        if self._begun:
            self._troubles.over(*self._begun)
            self._begun = set()

    def _wait(self, error: UnavailableError, pause: float) -> None:
        problem: FilingProblem = (
            "StorageFull" if isinstance(error, StorageFullError) else self._problem
        )
        self._begun = self._begun | {problem}
        self._troubles.begin(problem, str(error))
        self._failures.labels(problem).inc()
        if self._stopped.wait(pause):
            raise StoppedError


class PatientStore:
    """A store none of whose requests fails because it is away. See `Store` for what they do.

    Args:
        store: the store.
        patience: with which it is asked.
    """

    def __init__(self, store: Store, patience: Patience) -> None:
        self._store = store
        self._patience = patience
        self._requests = Requests()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self._store.name

    @property
    def hanging(self) -> str | None:
        """One line on a request that neither fails nor succeeds; None where there is none."""
        return self._requests.hanging

    def put(self, key: str, content: Buffer) -> None:
        """Write a file."""
        self._call(lambda: self._store.put(key, content), key, len(content))

    def create(self, key: str, content: Buffer) -> bool:
        """Write a file unless there is one. After False it may be the very one that was sent."""
        return self._call(lambda: self._store.create(key, content), key, len(content))

    def put_pieces(self, key: str, pieces: Iterable[bytes]) -> None:
        """Write a long file. Tried once: the pieces are gone."""
        self._store.put_pieces(key, pieces)

    def copy(self, source: str, target: str) -> None:
        """Give a file a second key."""
        self._call(lambda: self._store.copy(source, target), source)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files."""
        self._call(lambda: self._store.delete(keys), keys[0] if keys else "")

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """All keys; a listing that breaks off goes on behind the last key."""
        last = after
        listing = iter(self._store.keys(prefix, after))

        def following() -> str | None:
            nonlocal listing
            try:
                return next(listing, None)
            except UnavailableError:
                listing = iter(self._store.keys(prefix, last))
                raise

        while (key := self._call(following, prefix)) is not None:
            last = key
            yield key

    def read(self, key: str, most: int) -> bytes:
        """The content of a file."""
        return self._call(lambda: self._store.read(key, most), key)

    def pieces(self, key: str) -> Iterator[bytes]:
        """The content of a long file. Tried once: the caller begins anew."""
        return self._store.pieces(key)

    def _call(self, action: Callable[[], T], key: str, size: int = 0) -> T:
        def request() -> T:
            with self._requests.made(key, size):
                return action()

        return self._patience.call(request)
