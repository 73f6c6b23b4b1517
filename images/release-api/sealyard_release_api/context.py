"""What all routes share: who asks, bodies within bounds, the database on threads, answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from sealyard.api.release_api import Reason, Stored, WireModel, etag
from sealyard_release_api.accounts import first_fault
from sealyard_release_api.bodies import read_body
from sealyard_release_api.config import Settings
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.log import timestamp
from sealyard_release_api.operations import Written
from sealyard_release_api.releases import Change, Release
from sealyard_release_api.roles import Principal
from sealyard_release_api.store import Author, Blob, Store
from sealyard_release_api.wire import Refusal

T = TypeVar("T")
WireT = TypeVar("WireT", bound=WireModel)
Clock = Callable[[], float]

_DATABASE_THREADS = 8
JSON_CONTENT_TYPE = "application/json"


class Context:
    """What every route works with.

    Args:
        settings: how the server runs.
        store: the database.
        clock: Unix seconds.
    """

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self._threads = anyio.CapacityLimiter(_DATABASE_THREADS)

    def author(self, request: Request) -> Author:
        """Whoever asks, at this moment."""
        return Author(principal(request).name, timestamp(self.clock()))

    async def read(self, request: Request, content_type: str, max_bytes: int) -> bytes:
        """The body.

        Raises:
            Refusal: as `read_body` has it.
        """
        return await read_body(
            request,
            content_type=content_type,
            max_bytes=max_bytes,
            seconds=self.settings.peer_seconds,
        )

    async def read_json(self, request: Request, kind: type[WireT], max_bytes: int) -> WireT:
        """The document in the body.

        Raises:
            Refusal: as `read_body` has it, or `InvalidRequest`.
        """
        body = await self.read(request, JSON_CONTENT_TYPE, max_bytes)
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            raise Refusal(Reason.INVALID_REQUEST, f"the body: {first_fault(error)}") from None

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what blocks, such as asking the database."""
        return await to_thread.run_sync(work, limiter=self._threads)


def principal(request: Request) -> Principal:
    """Who asks, as admitted."""
    admitted: Principal = request.state.principal
    return admitted


def admitted_release(request: Request) -> Release:
    """The release that the path names, as admitted."""
    release: Release = request.state.release
    return release


def written(request: Request, done: Written, size: int) -> Response:
    """The answer to a PUT of bytes."""
    fields = audit_fields(request.scope)
    fields["change"] = done.change.value
    fields["sha256"] = done.sha256
    return JSONResponse(
        Stored(sha256=done.sha256, size_bytes=size).to_wire(),
        201 if done.change is Change.CREATE else 200,
        {"ETag": etag(done.sha256)},
    )


def stored(request: Request, blob: Blob, content_type: str) -> Response:
    """The answer to a GET of bytes."""
    audit_fields(request.scope)["sha256"] = blob.sha256
    return Response(blob.body, media_type=content_type, headers={"ETag": etag(blob.sha256)})
