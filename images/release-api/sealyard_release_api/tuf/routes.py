"""The routes of the index's files: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response

from sealyard.api.release_api import Reason
from sealyard_release_api.context import JSON_CONTENT_TYPE, Context, stored, written
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.roles import Action
from sealyard_release_api.store import Blob
from sealyard_release_api.tuf import rows
from sealyard_release_api.tuf.files import MAX_BYTES, MetadataName, TargetName
from sealyard_release_api.tuf.operations import put_metadata, put_target
from sealyard_release_api.wire import Refusal


class TufRoutes:
    """Metadata and target files.

    Args:
        context: what the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def endpoints(self) -> Mapping[str, Callable[..., Any]]:
        """Which route answers what."""
        return {
            Action.PUT_METADATA: self.put_metadata,
            Action.GET_METADATA: self.metadata,
            Action.PUT_TARGET: self.put_target,
            Action.GET_TARGET: self.target,
        }

    async def put_metadata(self, request: Request, file: str) -> Response:
        """`PUT` of a metadata file."""
        name = _metadata(request, file)
        body = await self._context.read(request, JSON_CONTENT_TYPE, MAX_BYTES[name.role])
        author = self._context.author(request)
        done = await self._context.in_thread(
            lambda: put_metadata(self._context.store, name, body, author)
        )
        return written(request, done, len(body))

    async def metadata(self, request: Request, file: str) -> Response:
        """`GET` of a metadata file, in the very bytes that were put."""
        name = _metadata(request, file)

        def read() -> Blob | None:
            with self._context.store.reading() as transaction:
                found = rows.metadata(transaction, name)
                return found[1] if found else None

        blob = await self._context.in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"the index has no {file}")
        return stored(request, blob, JSON_CONTENT_TYPE)

    async def put_target(self, request: Request, model: str, folder: str, target: str) -> Response:
        """`PUT` of a target file."""
        name = _target(request, model, folder, target)
        body = await self._context.read(request, JSON_CONTENT_TYPE, name.max_bytes)
        author = self._context.author(request)
        done = await self._context.in_thread(
            lambda: put_target(self._context.store, name, body, author)
        )
        return written(request, done, len(body))

    async def target(self, request: Request, model: str, folder: str, target: str) -> Response:
        """`GET` of a target file, in the very bytes that were put."""
        name = _target(request, model, folder, target)

        def read() -> Blob | None:
            with self._context.store.reading() as transaction:
                return rows.target(transaction, name.path)

        blob = await self._context.in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"the index has no target {name.path}")
        return stored(request, blob, JSON_CONTENT_TYPE)


def _metadata(request: Request, file: str) -> MetadataName:
    name = MetadataName.parse(file)
    audit_fields(request.scope)["file"] = file
    return name


def _target(request: Request, model: str, folder: str, target: str) -> TargetName:
    name = TargetName.parse(model, folder, target)
    audit_fields(request.scope)["file"] = name.path
    return name
