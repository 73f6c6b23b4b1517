"""One token for all threads: fetched when the first needs it, renewed once however many ask.

The rules (contracts.md section 6): a request that is refused takes a newer token if there is one,
else one login happens, for all; logins are at least so many seconds apart; a login that is refused
is not tried again with the same credentials.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sealyard.api.release_api import LoginResponse
from sealyard.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    Attributes:
        text: what goes into the header.
        serial: which login it is from; grows.
        fresh: whether the login was made since the request that holds it began, so that a refusal
            is not about its age.
    """

    text: str = field(repr=False)
    serial: int
    fresh: bool


class Login:
    """Keeps the token of one account at one server.

    Args:
        log_in: makes a login; raises `RefusedError` where the credentials are refused.
        fingerprint: of the credentials as they are now, which a login reads anew.
        source: what the credentials are called in messages.
        server: what the server is called in messages.
        gap_seconds: the least time between two logins; up to half of it again is added at random.
        sleep: what waits.
    """

    def __init__(
        self,
        log_in: Callable[[], LoginResponse],
        fingerprint: Callable[[], bytes],
        *,
        source: str,
        server: str,
        gap_seconds: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._log_in = log_in
        self._fingerprint = fingerprint
        self._source = source
        self._server = server
        self._gap_seconds = gap_seconds
        self._sleep = sleep
        self._lock = threading.Lock()
        self._text: str | None = None
        self._serial = 0
        self._not_before = 0.0
        self._refused: bytes | None = None

    def token(self) -> Token:
        """The token there is; a login if there is none.

        Raises:
            RefusedError: the login is refused, now or before with the same credentials.
        """
        with self._lock:
            if self._text is not None:
                return Token(self._text, self._serial, fresh=False)
            return self._renew()

    def newer(self, refused: Token) -> Token:
        """A token that is newer than the one that was refused.

        Raises:
            RefusedError: the login is refused, now or before with the same credentials.
        """
        with self._lock:
            if self._text is not None and self._serial > refused.serial:
                return Token(self._text, self._serial, fresh=True)
            return self._renew()

    def forget(self) -> None:
        """Drop the token."""
        with self._lock:
            self._text = None

    def _renew(self) -> Token:
        # Under the lock, so that whoever else is refused meanwhile waits and finds the new token.
        fingerprint = self._fingerprint()
        if fingerprint == self._refused:
            raise RefusedError(
                f"{self._server} refused the login in {self._source} before; "
                "it is tried again when the Secret changes"
            )
        self._text = None
        pause = self._not_before - time.monotonic()
        if pause > 0:
            self._sleep(pause)
        jitter = random.uniform(1.0, 1.5)  # noqa: S311 - jitter, no secret
        self._not_before = time.monotonic() + self._gap_seconds * jitter
        try:
            answer = self._log_in()
        except RefusedError:
            self._refused = fingerprint
            raise
        self._serial += 1
        self._text = answer.token
        return Token(answer.token, self._serial, fresh=True)
