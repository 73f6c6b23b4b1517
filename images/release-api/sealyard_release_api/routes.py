"""The routes: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import anyio
from anyio import to_thread
from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from sealyard.api.release_api import (
    LOGIN_MAX_BYTES,
    MANIFEST_CONTENT_TYPE,
    MANIFEST_MAX_BYTES,
    PAGE_MAX,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    USER_STATE_MAX_BYTES,
    LoginRequest,
    Reason,
    ReleaseEntry,
    ReleasePage,
    Stored,
    UserEntry,
    UserPage,
    UserState,
    WireModel,
    etag,
)
from sealyard_release_api.accounts import Action, User, first_fault, normal_email
from sealyard_release_api.bodies import read_body
from sealyard_release_api.config import Settings
from sealyard_release_api.directory import Account, Directory
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.log import timestamp
from sealyard_release_api.logins import Clock, Logins
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.operations import Written, put_manifest, put_small
from sealyard_release_api.releases import Change, Release, check_variant
from sealyard_release_api.store import Author, Blob, Store
from sealyard_release_api.wire import Refusal

T = TypeVar("T")
WireT = TypeVar("WireT", bound=WireModel)

_DATABASE_THREADS = 8
JSON_CONTENT_TYPE = "application/json"

After = Annotated[str | None, Query(min_length=1, max_length=254)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class Api:
    """The routes, over what they need.

    Args:
        settings: how the server runs.
        mounted: users, keys and certificate.
        store: small parts, manifests and the accounts that are not in the Secret.
        clock: Unix seconds.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        settings: Settings,
        mounted: Mounted,
        store: Store,
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._directory = Directory(lambda: mounted.credentials.accounts.users, store)
        self._logins = Logins(settings, mounted, self._directory, clock=clock, monotonic=monotonic)
        self._threads = anyio.CapacityLimiter(_DATABASE_THREADS)

    def close(self) -> None:
        """Let go of the threads that hash passwords."""
        self._logins.close()

    def admission(self, action: Action) -> Callable[[Request], Awaitable[None]]:
        """What runs before anything else of a route: it opens the audit line and lets in.

        The order is who, role, names, model: a stranger learns nothing about names.
        """

        async def admit(request: Request) -> None:
            fields = audit_fields(request.scope)
            fields["event"] = action.value
            if action is Action.LOGIN:
                return
            authorization = request.headers.get("authorization")
            user = await self._in_thread(lambda: self._logins.authenticate(authorization))
            fields.update(who=user.email, role=user.role.value)
            if not user.may(action):
                raise Refusal(Reason.FORBIDDEN, f"the role {user.role} may not {action}")
            release = _release(request)
            if release is not None and not user.may(action, release.model):
                raise Refusal(
                    Reason.FORBIDDEN, f"model {release.model!r} is not among those of the account"
                )
            request.state.user = user
            request.state.release = release

        return admit

    async def healthz(self) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self) -> Response:
        """The process can serve: its database answers."""
        if not await self._in_thread(self._store.check):
            raise Refusal(Reason.UNAVAILABLE, "the database does not answer", {"Retry-After": "5"})
        return JSONResponse({"status": "ok"})

    async def login(self, request: Request) -> Response:
        """`POST /login`."""
        fields = audit_fields(request.scope)
        login = await self._read_json(request, LoginRequest, LOGIN_MAX_BYTES)
        address = request.client.host if request.client else ""
        try:
            logged_in = await self._logins.login(login, address)
        finally:
            # An unknown email is not logged: people type passwords into that field.
            fields["who"] = self._logins.seen(login.email)
        fields["role"] = logged_in.user.role.value
        return JSONResponse(logged_in.response.to_wire())

    async def put_small(self, request: Request, variant: str) -> Response:
        """`PUT` of a small part."""
        release = _admitted_release(request)
        body = await self._read(request, SMALL_CONTENT_TYPE, SMALL_MAX_BYTES)
        written = await self._in_thread(
            functools.partial(
                put_small,
                self._store,
                release,
                variant,
                body,
                if_match=request.headers.get("if-match"),
                author=self._author(request),
            )
        )
        return _written(request, written, len(body))

    async def get_small(self, request: Request, variant: str) -> Response:
        """`GET` of a small part."""
        release = _admitted_release(request)

        def read() -> Blob | None:
            with self._store.reading() as transaction:
                return transaction.small(release, variant)

        blob = await self._in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no small part {variant!r}")
        return _blob(request, blob, SMALL_CONTENT_TYPE)

    async def put_manifest(self, request: Request) -> Response:
        """`PUT` of a manifest."""
        release = _admitted_release(request)
        body = await self._read(request, MANIFEST_CONTENT_TYPE, MANIFEST_MAX_BYTES)
        author = self._author(request)
        written = await self._in_thread(
            functools.partial(put_manifest, self._store, release, body, author=author)
        )
        return _written(request, written, len(body))

    async def get_manifest(self, request: Request) -> Response:
        """`GET` of a manifest, in the very bytes that were put."""
        release = _admitted_release(request)

        def read() -> Blob | None:
            with self._store.reading() as transaction:
                return transaction.manifest(release)

        blob = await self._in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no manifest")
        return _blob(request, blob, MANIFEST_CONTENT_TYPE)

    async def releases(self, request: Request, after: After = None, limit: Limit = 100) -> Response:
        """`GET /releases`: those whose models the account has."""
        user = _user(request)
        behind = Release.of(*_split_cursor(after)) if after is not None else None

        def read() -> list[tuple[Release, str]]:
            with self._store.reading() as transaction:
                return transaction.releases(after=behind, patterns=user.models, limit=limit + 1)

        found = await self._in_thread(read)
        page, last = found[:limit], found[limit - 1][0] if len(found) > limit else None
        entries = [
            ReleaseEntry(model=release.model, version=release.version, manifest_sha256=sha256)
            for release, sha256 in page
        ]
        answer = ReleasePage(
            releases=entries, next=f"{last.model}/{last.version}" if last else None
        )
        return JSONResponse(answer.to_wire())

    async def users(self, after: After = None, limit: Limit = 100) -> Response:
        """`GET /users`: all accounts, without their hashes."""
        behind = normal_email(after or "")
        if not behind.isprintable():
            raise Refusal(Reason.INVALID_REQUEST, "query.after: must be an email address")
        found = await self._in_thread(lambda: self._directory.page(after=behind, limit=limit + 1))
        page = found[:limit]
        answer = UserPage(
            users=[_user_entry(account) for account in page],
            next=page[-1].user.email if len(found) > limit else None,
        )
        return JSONResponse(answer.to_wire())

    async def put_user_state(self, request: Request, email: str) -> Response:
        """`PUT` of an account's state: disabled, which ends its tokens at once, or not."""
        wanted = await self._read_json(request, UserState, USER_STATE_MAX_BYTES)
        author = self._author(request)
        account = await self._in_thread(
            lambda: self._directory.set_disabled(
                normal_email(email), disabled=wanted.disabled, author=author
            )
        )
        if account is None:
            raise Refusal(Reason.NOT_FOUND, "there is no such account")
        audit_fields(request.scope).update(user=account.user.email, disabled=wanted.disabled)
        return JSONResponse(_user_entry(account).to_wire())

    def _author(self, request: Request) -> Author:
        return Author(_user(request).email, timestamp(self._clock()))

    async def _read(self, request: Request, content_type: str, max_bytes: int) -> bytes:
        return await read_body(
            request,
            content_type=content_type,
            max_bytes=max_bytes,
            seconds=self._settings.peer_seconds,
        )

    async def _read_json(self, request: Request, kind: type[WireT], max_bytes: int) -> WireT:
        body = await self._read(request, JSON_CONTENT_TYPE, max_bytes)
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            raise Refusal(Reason.INVALID_REQUEST, f"the body: {first_fault(error)}") from None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)


def _release(request: Request) -> Release | None:
    """The release that the path names, all its names checked and in the audit line."""
    names = request.path_params
    if "model" not in names:
        return None
    release = Release.of(names["model"], names["version"])
    variant = names.get("variant")
    if variant is not None:
        check_variant(variant)
    audit_fields(request.scope).update(
        model=release.model, version=release.version, variant=variant
    )
    return release


def _user(request: Request) -> User:
    user: User = request.state.user
    return user


def _admitted_release(request: Request) -> Release:
    release: Release = request.state.release
    return release


def _written(request: Request, written: Written, size: int) -> Response:
    fields = audit_fields(request.scope)
    fields["change"] = written.change.value
    fields["sha256"] = written.sha256
    return JSONResponse(
        Stored(sha256=written.sha256, size_bytes=size).to_wire(),
        201 if written.change is Change.CREATE else 200,
        {"ETag": etag(written.sha256)},
    )


def _blob(request: Request, blob: Blob, content_type: str) -> Response:
    audit_fields(request.scope)["sha256"] = blob.sha256
    return Response(blob.body, media_type=content_type, headers={"ETag": etag(blob.sha256)})


def _user_entry(account: Account) -> UserEntry:
    return UserEntry(
        email=account.user.email,
        role=account.user.role.value,
        models=list(account.user.models),
        origin=account.origin.value,
        disabled=account.state.disabled,
    )


def _split_cursor(after: str) -> tuple[str, str]:
    model, _, version = after.partition("/")
    return model, version
