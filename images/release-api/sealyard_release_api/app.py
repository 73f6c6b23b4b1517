"""The application: routes that authenticate, bound, call one thing and answer."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio
from anyio import to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from sealyard.api.release_api import (
    LOGIN_MAX_BYTES,
    LOGIN_PATH,
    MANIFEST_CONTENT_TYPE,
    MANIFEST_MAX_BYTES,
    PAGE_MAX,
    RELEASES_PATH,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    LoginRequest,
    Reason,
    ReleaseEntry,
    ReleasePage,
    Stored,
    etag,
    manifest_path,
    small_path,
)
from sealyard_release_api.accounts import Action, User, first_fault
from sealyard_release_api.bodies import read_body
from sealyard_release_api.config import Settings
from sealyard_release_api.frame import Frame, audit_fields
from sealyard_release_api.log import SERVER, timestamp
from sealyard_release_api.logins import Clock, Logins
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.operations import Written, put_manifest, put_small
from sealyard_release_api.releases import Change, Release, check_variant
from sealyard_release_api.store import Author, Blob, Store
from sealyard_release_api.wire import Refusal

T = TypeVar("T")

_DATABASE_THREADS = 8
_SMALL = small_path("{model}", "{version}", "{variant}")
_MANIFEST = manifest_path("{model}", "{version}")


class Api:
    """The routes, over what they need.

    Args:
        settings: how the server runs.
        mounted: users, keys and certificate.
        store: small parts and manifests.
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
        self._logins = Logins(settings, mounted, clock=clock, monotonic=monotonic)
        self._threads = anyio.CapacityLimiter(_DATABASE_THREADS)

    def close(self) -> None:
        """Let go of the threads that hash passwords."""
        self._logins.close()

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
        fields["event"] = "login"
        body = await self._read(request, MANIFEST_CONTENT_TYPE, LOGIN_MAX_BYTES)
        try:
            login = LoginRequest.model_validate_json(body)
        except ValidationError as error:
            raise Refusal(Reason.INVALID_REQUEST, f"the body: {first_fault(error)}") from None
        address = request.client.host if request.client else ""
        # An unknown email is not logged: people type passwords into that field.
        fields["who"] = self._logins.known(login.email)
        logged_in = await self._logins.login(login, address)
        fields["role"] = logged_in.user.role.value
        return JSONResponse(logged_in.response.to_wire())

    async def put_small(self, request: Request, model: str, version: str, variant: str) -> Response:
        """`PUT` of a small part."""
        user, release = self._admit(request, Action.PUT_SMALL, model, version, variant)
        body = await self._read(request, SMALL_CONTENT_TYPE, SMALL_MAX_BYTES)
        written = await self._in_thread(
            functools.partial(
                put_small,
                self._store,
                release,
                variant,
                body,
                if_match=request.headers.get("if-match"),
                author=self._author(user),
            )
        )
        return _written(request, written, len(body))

    async def get_small(self, request: Request, model: str, version: str, variant: str) -> Response:
        """`GET` of a small part."""
        _, release = self._admit(request, Action.GET_SMALL, model, version, variant)

        def read() -> Blob | None:
            with self._store.reading() as transaction:
                return transaction.small(release, variant)

        blob = await self._in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no small part {variant!r}")
        return _blob(request, blob, SMALL_CONTENT_TYPE)

    async def put_manifest(self, request: Request, model: str, version: str) -> Response:
        """`PUT` of a manifest."""
        user, release = self._admit(request, Action.PUT_MANIFEST, model, version)
        body = await self._read(request, MANIFEST_CONTENT_TYPE, MANIFEST_MAX_BYTES)
        written = await self._in_thread(
            functools.partial(put_manifest, self._store, release, body, author=self._author(user))
        )
        return _written(request, written, len(body))

    async def get_manifest(self, request: Request, model: str, version: str) -> Response:
        """`GET` of a manifest, in the very bytes that were put."""
        _, release = self._admit(request, Action.GET_MANIFEST, model, version)

        def read() -> Blob | None:
            with self._store.reading() as transaction:
                return transaction.manifest(release)

        blob = await self._in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no manifest")
        return _blob(request, blob, MANIFEST_CONTENT_TYPE)

    async def releases(
        self,
        request: Request,
        after: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    ) -> Response:
        """`GET /releases`: those whose models the account has."""
        user = self._admit_user(request, Action.LIST)
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

    def _admit_user(self, request: Request, action: Action) -> User:
        fields = audit_fields(request.scope)
        fields["event"] = action.value
        user = self._logins.authenticate(request.headers.get("authorization"))
        fields["who"] = user.email
        fields["role"] = user.role.value
        if not user.may(action):
            raise Refusal(Reason.FORBIDDEN, f"the role {user.role} may not {action}")
        return user

    def _admit(
        self, request: Request, action: Action, model: str, version: str, variant: str | None = None
    ) -> tuple[User, Release]:
        """Who asks, for what; in this order, so that a stranger learns nothing about names."""
        user = self._admit_user(request, action)
        release = Release.of(model, version)
        if variant is not None:
            check_variant(variant)
        audit_fields(request.scope).update(model=model, version=version, variant=variant)
        if not user.may(action, model):
            raise Refusal(Reason.FORBIDDEN, f"model {model!r} is not among those of the account")
        return user, release

    def _author(self, user: User) -> Author:
        return Author(user.email, timestamp(self._clock()))

    async def _read(self, request: Request, content_type: str, max_bytes: int) -> bytes:
        return await read_body(
            request,
            content_type=content_type,
            max_bytes=max_bytes,
            seconds=self._settings.peer_seconds,
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)


def create_app(api: Api, *, max_requests: int) -> ASGIApp:
    """The ASGI application over the routes."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    routes: tuple[tuple[str, str, Callable[..., object]], ...] = (
        ("GET", "/healthz", api.healthz),
        ("GET", "/readyz", api.readyz),
        ("POST", LOGIN_PATH, api.login),
        ("GET", RELEASES_PATH, api.releases),
        ("PUT", _SMALL, api.put_small),
        ("GET", _SMALL, api.get_small),
        ("PUT", _MANIFEST, api.put_manifest),
        ("GET", _MANIFEST, api.get_manifest),
    )
    for method, path, endpoint in routes:
        app.add_api_route(path, endpoint, methods=[method], response_model=None)
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(HTTPException)(_unknown)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(SQLAlchemyError)(_database_failed)
    app.exception_handler(ClientDisconnect)(_nobody_waits)
    app.exception_handler(Exception)(_failed)
    return Frame(app, max_requests=max_requests)


def _answer(request: Request, refusal: Refusal) -> Response:
    audit_fields(request.scope)["reason"] = refusal.reason.value
    return refusal.response()


async def _refused(request: Request, error: Refusal) -> Response:
    return _answer(request, error)


async def _unknown(request: Request, error: HTTPException) -> Response:
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    if error.status_code == 405:
        message = f"{request.method[:16]} is not for this path"
        return _answer(request, Refusal(Reason.METHOD_NOT_ALLOWED, message, headers))
    if error.status_code == 404:
        return _answer(request, Refusal(Reason.NOT_FOUND, "there is no such path"))
    return _answer(request, Refusal(Reason.INVALID_REQUEST, "the request cannot be read"))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    fault = error.errors()[0]
    where = ".".join(str(step) for step in fault["loc"])
    return _answer(request, Refusal(Reason.INVALID_REQUEST, f"{where}: {fault['msg']}"))


async def _database_failed(request: Request, error: SQLAlchemyError) -> Response:
    # Its text has the statement and sizes of values, not the values (hide_parameters).
    SERVER.error("the database failed: %s", " ".join(str(error).split())[:500])
    return _answer(
        request,
        Refusal(Reason.UNAVAILABLE, "the database does not answer", {"Retry-After": "5"}),
    )


async def _nobody_waits(request: Request, _error: ClientDisconnect) -> Response:
    audit_fields(request.scope)["reason"] = "ClientDisconnected"
    return Response(status_code=400)  # goes nowhere


async def _failed(request: Request, _error: Exception) -> Response:
    # Raised again by Starlette once this is sent; uvicorn then logs it with its stack.
    return _answer(request, Refusal(Reason.INTERNAL, "the server failed; its log says why"))


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


def _split_cursor(after: str) -> tuple[str, str]:
    model, _, version = after.partition("/")
    return model, version
