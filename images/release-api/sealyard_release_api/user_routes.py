"""The routes of accounts: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse

from sealyard.api.release_api import (
    LOGIN_MAX_BYTES,
    PAGE_MAX,
    USER_STATE_MAX_BYTES,
    LoginRequest,
    Reason,
    UserEntry,
    UserPage,
    UserState,
)
from sealyard_release_api.accounts import normal_email
from sealyard_release_api.context import Context
from sealyard_release_api.directory import Account, Directory
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.logins import Logins
from sealyard_release_api.roles import Action
from sealyard_release_api.wire import Refusal

After = Annotated[str | None, Query(min_length=1, max_length=254)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class UserRoutes:
    """Logins, and who may log in.

    Args:
        context: what the routes share.
        directory: the accounts.
        logins: of accounts.
    """

    def __init__(self, context: Context, directory: Directory, logins: Logins) -> None:
        self._context = context
        self._directory = directory
        self._logins = logins

    @property
    def endpoints(self) -> Mapping[str, Callable[..., Any]]:
        """Which route answers what."""
        return {
            Action.LOGIN: self.login,
            Action.LIST_USERS: self.users,
            Action.SET_USER_STATE: self.put_user_state,
        }

    async def login(self, request: Request) -> Response:
        """`POST /login`."""
        fields = audit_fields(request.scope)
        login = await self._context.read_json(request, LoginRequest, LOGIN_MAX_BYTES)
        address = request.client.host if request.client else ""
        try:
            logged_in = await self._logins.login(login, address)
        finally:
            # An unknown email is not logged: people type passwords into that field.
            fields["who"] = self._logins.seen(login.email)
        fields["role"] = logged_in.user.role.value
        return JSONResponse(logged_in.response.to_wire())

    async def users(self, after: After = None, limit: Limit = 100) -> Response:
        """`GET /users`: all accounts, without their hashes."""
        behind = normal_email(after or "")
        if not behind.isprintable():
            raise Refusal(Reason.INVALID_REQUEST, "query.after: must be an email address")
        found = await self._context.in_thread(
            lambda: self._directory.page(after=behind, limit=limit + 1)
        )
        page = found[:limit]
        answer = UserPage(
            users=[_user_entry(account) for account in page],
            next=page[-1].user.email if len(found) > limit else None,
        )
        return JSONResponse(answer.to_wire())

    async def put_user_state(self, request: Request, email: str) -> Response:
        """`PUT` of an account's state: disabled, which ends its tokens at once, or not."""
        wanted = await self._context.read_json(request, UserState, USER_STATE_MAX_BYTES)
        author = self._context.author(request)
        account = await self._context.in_thread(
            lambda: self._directory.set_disabled(
                normal_email(email), disabled=wanted.disabled, author=author
            )
        )
        if account is None:
            raise Refusal(Reason.NOT_FOUND, "there is no such account")
        audit_fields(request.scope).update(user=account.user.email, disabled=wanted.disabled)
        return JSONResponse(_user_entry(account).to_wire())


def _user_entry(account: Account) -> UserEntry:
    return UserEntry(
        email=account.user.email,
        role=account.user.role.value,
        models=list(account.user.models),
        origin=account.origin.value,
        disabled=account.state.disabled,
    )
