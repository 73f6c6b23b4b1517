"""The routes of releases: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse

from sealyard.api.release_api import (
    MANIFEST_CONTENT_TYPE,
    MANIFEST_MAX_BYTES,
    PAGE_MAX,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    Reason,
    ReleaseEntry,
    ReleasePage,
)
from sealyard_release_api.context import Context, admitted_release, principal, stored, written
from sealyard_release_api.grants.operations import small_of_device
from sealyard_release_api.grants.rows import Variant
from sealyard_release_api.operations import put_manifest, put_small
from sealyard_release_api.releases import Release
from sealyard_release_api.roles import Action, Role
from sealyard_release_api.store import Blob
from sealyard_release_api.wire import Refusal

After = Annotated[str | None, Query(min_length=1, max_length=254)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class ReleaseRoutes:
    """Small parts and manifests.

    Args:
        context: what the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def endpoints(self) -> Mapping[str, Callable[..., Any]]:
        """Which route answers what."""
        return {
            Action.PUT_SMALL: self.put_small,
            Action.GET_SMALL: self.get_small,
            Action.PUT_MANIFEST: self.put_manifest,
            Action.GET_MANIFEST: self.get_manifest,
            Action.LIST: self.releases,
        }

    async def put_small(self, request: Request, variant: str) -> Response:
        """`PUT` of a small part."""
        release = admitted_release(request)
        body = await self._context.read(request, SMALL_CONTENT_TYPE, SMALL_MAX_BYTES)
        done = await self._context.in_thread(
            functools.partial(
                put_small,
                self._context.store,
                release,
                variant,
                body,
                if_match=request.headers.get("if-match"),
                author=self._context.author(request),
            )
        )
        return written(request, done, len(body))

    async def get_small(self, request: Request, variant: str) -> Response:
        """`GET` of a small part; a device gets its own slot in it, and no other."""
        release = admitted_release(request)
        who = principal(request)

        def read() -> Blob | None:
            with self._context.store.reading() as transaction:
                if who.role is Role.DEVICE:
                    return small_of_device(transaction, Variant(release, variant), who.name)
                return transaction.small(release, variant)

        blob = await self._context.in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no small part {variant!r}")
        return stored(request, blob, SMALL_CONTENT_TYPE)

    async def put_manifest(self, request: Request) -> Response:
        """`PUT` of a manifest."""
        release = admitted_release(request)
        body = await self._context.read(request, MANIFEST_CONTENT_TYPE, MANIFEST_MAX_BYTES)
        author = self._context.author(request)
        done = await self._context.in_thread(
            functools.partial(put_manifest, self._context.store, release, body, author=author)
        )
        return written(request, done, len(body))

    async def get_manifest(self, request: Request) -> Response:
        """`GET` of a manifest, in the very bytes that were put."""
        release = admitted_release(request)

        def read() -> Blob | None:
            with self._context.store.reading() as transaction:
                return transaction.manifest(release)

        blob = await self._context.in_thread(read)
        if blob is None:
            raise Refusal(Reason.NOT_FOUND, f"{release} has no manifest")
        return stored(request, blob, MANIFEST_CONTENT_TYPE)

    async def releases(self, request: Request, after: After = None, limit: Limit = 100) -> Response:
        """`GET /releases`: those whose models the account has."""
        who = principal(request)
        behind = Release.of(*_split_cursor(after)) if after is not None else None

        def read() -> list[tuple[Release, str]]:
            with self._context.store.reading() as transaction:
                return transaction.releases(after=behind, patterns=who.models, limit=limit + 1)

        found = await self._context.in_thread(read)
        page, last = found[:limit], found[limit - 1][0] if len(found) > limit else None
        entries = [
            ReleaseEntry(model=release.model, version=release.version, manifest_sha256=sha256)
            for release, sha256 in page
        ]
        answer = ReleasePage(
            releases=entries, next=f"{last.model}/{last.version}" if last else None
        )
        return JSONResponse(answer.to_wire())


def _split_cursor(after: str) -> tuple[str, str]:
    model, _, version = after.partition("/")
    return model, version
