"""Logging in, and knowing who asks: limits, password hashes off the event loop, tokens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sealyard.api.release_api import LoginRequest, LoginResponse, Reason
from sealyard_release_api.accounts import User, normal_email
from sealyard_release_api.config import Settings
from sealyard_release_api.limits import LoginGuard
from sealyard_release_api.log import timestamp
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.tokens import TokenError
from sealyard_release_api.wire import Refusal

Clock = Callable[[], float]

_ANONYMOUS = Refusal(Reason.TOKEN_REFUSED, "Authorization: must be 'Bearer' and a token of /login")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was right."""

    user: User
    response: LoginResponse


class Logins:
    """Everything about who somebody is. One per server.

    Args:
        clock: Unix seconds, for tokens.
        monotonic: seconds that never go back, for the limits.
    """

    def __init__(
        self, settings: Settings, mounted: Mounted, *, clock: Clock, monotonic: Clock
    ) -> None:
        self._settings = settings
        self._mounted = mounted
        self._clock = clock
        self._monotonic = monotonic
        self._guard = LoginGuard(
            account_attempts=settings.account_attempts,
            address_attempts=settings.address_attempts,
            window_seconds=settings.attempt_window_seconds,
        )
        self._pool = ThreadPoolExecutor(settings.login_threads, thread_name_prefix="argon2")
        self._pending = 0

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def known(self, email: str) -> str | None:
        """The account of an email as it is looked up, or None if there is none."""
        account = normal_email(email)
        return account if account in self._mounted.credentials.accounts.users else None

    async def login(self, request: LoginRequest, address: str) -> LoggedIn:
        """A token for the right password.

        Raises:
            Refusal: `LoginRefused`, or `TooManyRequests` and `Unavailable` with Retry-After.
        """
        account = normal_email(request.email)
        wait = self._guard.admit(account, address, self._monotonic())
        if wait:
            raise Refusal(
                Reason.TOO_MANY_REQUESTS,
                "too many logins for this account or from this address; wait and try again",
                {"Retry-After": str(math.ceil(wait))},
            )
        if self._pending >= self._settings.login_threads + self._settings.login_queue:
            self._guard.forgive(account, address)
            raise Refusal(
                Reason.UNAVAILABLE, "too many logins at the same time", {"Retry-After": "1"}
            )
        credentials = self._mounted.credentials
        self._pending += 1
        try:
            user = await asyncio.get_running_loop().run_in_executor(
                self._pool, credentials.accounts.verify, account, request.password
            )
        finally:
            self._pending -= 1
        if user is None:
            raise Refusal(Reason.LOGIN_REFUSED, "the email or the password is wrong")
        self._guard.forgive(account, address)
        now = int(self._clock())
        seconds = self._settings.token_seconds
        token = credentials.keys.issue(user, now=now, seconds=seconds)
        return LoggedIn(user, LoginResponse(token=token, expires_at=timestamp(now + seconds)))

    def authenticate(self, authorization: str | None) -> User:
        """The account of a bearer token, as it is now.

        Raises:
            Refusal: `TokenRefused`.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _ANONYMOUS
        credentials = self._mounted.credentials
        try:
            claims = credentials.keys.verify(token.strip(), now=self._clock())
        except TokenError as error:
            raise Refusal(Reason.TOKEN_REFUSED, f"{error}; log in again") from None
        user = credentials.accounts.users.get(claims.sub)
        if user is None or user.generation != claims.generation:
            raise Refusal(Reason.TOKEN_REFUSED, "the account has changed; log in again")
        return user
