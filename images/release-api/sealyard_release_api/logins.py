"""Logging in by password: limits, hashes off the event loop, tokens."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from sealyard.api.release_api import LoginRequest, LoginResponse, Reason
from sealyard_release_api.accounts import Accounts, User, normal_email
from sealyard_release_api.config import Settings
from sealyard_release_api.context import Clock
from sealyard_release_api.directory import Account, Directory
from sealyard_release_api.limits import LoginGuard
from sealyard_release_api.log import timestamp
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.roles import ANNOTATOR_ROLES
from sealyard_release_api.wire import Refusal


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was right."""

    user: User
    response: LoginResponse


class Logins:
    """Logins of accounts. One per server.

    Args:
        settings: how the server runs.
        mounted: the keys.
        directory: the accounts.
        clock: Unix seconds, for tokens.
        monotonic: seconds that never go back, for the limits.
    """

    def __init__(
        self,
        settings: Settings,
        mounted: Mounted,
        directory: Directory,
        *,
        clock: Clock,
        monotonic: Clock,
    ) -> None:
        self._settings = settings
        self._mounted = mounted
        self._directory = directory
        self._seen: set[str] = set()  # accounts that exist: as many as there are, at most
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

    def seen(self, email: str) -> str | None:
        """The account of an email as it is looked up, where there is known to be one.

        For the audit trail, also of attempts that are turned away before anybody is looked up.
        """
        account = normal_email(email)
        there = account in self._mounted.credentials.accounts.users or account in self._seen
        return account if there else None

    async def login(self, request: LoginRequest, address: str) -> LoggedIn:
        """A token for the right password.

        Raises:
            Refusal: `LoginRefused`, or `TooManyRequests` and `Unavailable` with Retry-After;
                `Forbidden` where the role has no tokens for that audience.
            SQLAlchemyError: the database does not answer.
        """
        email = normal_email(request.email)
        wait = self._guard.admit(email, address, self._monotonic())
        if wait:
            raise Refusal(
                Reason.TOO_MANY_REQUESTS,
                "too many logins for this account or from this address; wait and try again",
                {"Retry-After": str(math.ceil(wait))},
            )
        if self._pending >= self._settings.login_threads + self._settings.login_queue:
            self._guard.forgive(email, address)
            raise Refusal(
                Reason.UNAVAILABLE, "too many logins at the same time", {"Retry-After": "1"}
            )
        credentials = self._mounted.credentials
        self._pending += 1
        try:
            account = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._prove, credentials.accounts, email, request.password
            )
        except SQLAlchemyError:
            self._guard.forgive(email, address)
            raise
        finally:
            self._pending -= 1
        if account is None:
            raise Refusal(Reason.LOGIN_REFUSED, "the email or the password is wrong")
        self._guard.forgive(email, address)
        now = int(self._clock())
        seconds = self._settings.token_seconds
        if request.audience is not None:
            if account.user.role not in ANNOTATOR_ROLES:
                raise Refusal(
                    Reason.FORBIDDEN, f"the role {account.user.role.value} annotates nothing"
                )
            token = credentials.keys.issue_identity(
                account.user.principal, now=now, seconds=seconds
            )
        else:
            token = credentials.keys.issue(
                account.user.principal, generation=account.generation, now=now, seconds=seconds
            )
        return LoggedIn(
            account.user, LoginResponse(token=token, expires_at=timestamp(now + seconds))
        )

    def _prove(self, accounts: Accounts, email: str, password: str) -> Account | None:
        """Look up and hash, in this order for everybody; the hash is what takes the time."""
        account = self._directory.find(email)
        if account is not None:
            self._seen.add(email)
        usable = account is not None and not account.state.disabled
        proven = accounts.proves(account.user if account and usable else None, password)
        return account if proven else None
