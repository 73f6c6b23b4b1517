"""The routes of grants: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from sealyard.api.device_api import (
    BATCH_MAX,
    BATCH_MAX_BYTES,
    GRANT_PAGE_MAX,
    VARIANT_PAGE_MAX,
    Changed,
    DeviceId,
    DroppedGrants,
    GrantBatch,
    GrantDigest,
    GrantedVariant,
    GrantedVariantPage,
    GrantPage,
    granted_digest,
)
from sealyard.api.model import Name, SemVer
from sealyard.api.release_api import Reason
from sealyard_release_api.context import Context, principal
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.grants import rows
from sealyard_release_api.grants.operations import drop_grants, put_grants
from sealyard_release_api.grants.rows import Variant
from sealyard_release_api.releases import Release, check_variant
from sealyard_release_api.roles import Action
from sealyard_release_api.wire import Refusal


class OfVariant(BaseModel):
    """The query that names a variant."""

    model: Name
    version: SemVer
    variant: Name

    @property
    def named(self) -> Variant:
        """What slots are of."""
        return Variant(Release(self.model, self.version), self.variant)


class OfVariantByPage(OfVariant):
    """The same, with a place to begin behind."""

    after: DeviceId | None = None
    limit: Annotated[int, Field(ge=1, le=GRANT_PAGE_MAX)] = BATCH_MAX


class VariantsByPage(BaseModel):
    """The query of a list of variants."""

    after: Annotated[str, Field(min_length=1, max_length=254)] | None = None
    limit: Annotated[int, Field(ge=1, le=VARIANT_PAGE_MAX)] = 100

    @property
    def behind(self) -> Variant | None:
        """The variant to begin behind.

        Raises:
            Refusal: `InvalidName`.
        """
        if self.after is None:
            return None
        model, _, rest = self.after.partition("/")
        version, _, name = rest.partition("/")
        return Variant(Release.of(model, version), check_variant(name))


class GrantRoutes:
    """Slots, and who has one.

    Args:
        context: what the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def endpoints(self) -> Mapping[str, Callable[..., Any]]:
        """Which route answers what."""
        return {
            Action.PUT_GRANTS: self.put_grants,
            Action.GRANTS_DIGEST: self.digest,
            Action.LIST_GRANTS: self.granted,
            Action.GRANTED_VARIANTS: self.variants,
            Action.DROP_GRANTS: self.drop_grants,
        }

    async def put_grants(self, request: Request) -> Response:
        """`PUT` of slots."""
        batch = await self._context.read_json(request, GrantBatch, BATCH_MAX_BYTES)
        fields = audit_fields(request.scope)
        fields.update(model=batch.model, version=batch.version, variant=batch.variant)
        _check_model(request, batch.model)
        author = self._context.author(request)
        changed = await self._context.in_thread(
            lambda: put_grants(self._context.store, batch, author)
        )
        fields["changed"] = changed
        return JSONResponse(Changed(changed=len(changed)).to_wire())

    async def digest(self, request: Request, query: Annotated[OfVariant, Query()]) -> Response:
        """`GET` of the digest over the devices that have a slot."""
        _check_query(request, query)
        devices = await self._device_ids(query.named, "", None)
        answer = GrantDigest(digest=granted_digest(devices), devices=len(devices))
        return JSONResponse(answer.to_wire())

    async def granted(
        self, request: Request, query: Annotated[OfVariantByPage, Query()]
    ) -> Response:
        """`GET` of the devices that have a slot."""
        _check_query(request, query)
        found = await self._device_ids(query.named, query.after or "", query.limit + 1)
        page = found[: query.limit]
        answer = GrantPage(devices=page, next=page[-1] if len(found) > query.limit else None)
        return JSONResponse(answer.to_wire())

    async def variants(
        self, request: Request, query: Annotated[VariantsByPage, Query()]
    ) -> Response:
        """`GET` of the variants of which some device has a slot."""
        patterns, behind = principal(request).models, query.behind

        def read() -> list[Variant]:
            with self._context.store.reading() as transaction:
                return rows.variants(
                    transaction, after=behind, patterns=patterns, limit=query.limit + 1
                )

        found = await self._context.in_thread(read)
        page = found[: query.limit]
        answer = GrantedVariantPage(
            variants=[
                GrantedVariant(
                    model=one.release.model, version=one.release.version, variant=one.name
                )
                for one in page
            ],
            next=str(page[-1]) if len(found) > query.limit else None,
        )
        return JSONResponse(answer.to_wire())

    async def drop_grants(self, request: Request) -> Response:
        """`PUT` of whose slots are to go."""
        dropped = await self._context.read_json(request, DroppedGrants, BATCH_MAX_BYTES)
        fields = audit_fields(request.scope)
        fields.update(model=dropped.model, version=dropped.version, variant=dropped.variant)
        _check_model(request, dropped.model)
        changed = await self._context.in_thread(lambda: drop_grants(self._context.store, dropped))
        fields["changed"] = changed
        return JSONResponse(Changed(changed=len(changed)).to_wire())

    async def _device_ids(self, variant: Variant, after: str, limit: int | None) -> list[str]:
        def read() -> list[str]:
            with self._context.store.reading() as transaction:
                return rows.device_ids(transaction, variant, after=after, limit=limit)

        return await self._context.in_thread(read)


def _check_query(request: Request, query: OfVariant) -> None:
    audit_fields(request.scope).update(
        model=query.model, version=query.version, variant=query.variant
    )
    _check_model(request, query.model)


def _check_model(request: Request, model: str) -> None:
    if not principal(request).covers(model):
        raise Refusal(Reason.FORBIDDEN, f"model {model!r} is not among those of the account")
