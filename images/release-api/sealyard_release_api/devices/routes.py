"""The routes of devices: each is admitted, bounded, calls one thing and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse

from sealyard.api.device_api import (
    BATCH_MAX_BYTES,
    REPORT_MAX_BYTES,
    TOKEN_REQUEST_MAX_BYTES,
    Changed,
    DeviceBatch,
    DeviceEntry,
    DevicePage,
    Report,
    SeenDevice,
    SeenReport,
    TokenRequest,
)
from sealyard.api.release_api import PAGE_MAX, Reason
from sealyard_release_api.context import Context, principal
from sealyard_release_api.devices import rows
from sealyard_release_api.devices.entries import check_device_id
from sealyard_release_api.devices.logins import DeviceLogins
from sealyard_release_api.devices.operations import put_devices
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.log import timestamp
from sealyard_release_api.roles import Action, Principal, Role
from sealyard_release_api.wire import Refusal

_ENTRY_MAX_BYTES = 16 * 1024

After = Annotated[str | None, Query(min_length=1, max_length=32)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class DeviceRoutes:
    """What is registered, who logs in, and what they run.

    Args:
        context: what the routes share.
        logins: of devices.
    """

    def __init__(self, context: Context, logins: DeviceLogins) -> None:
        self._context = context
        self._logins = logins

    @property
    def endpoints(self) -> Mapping[str, Callable[..., Any]]:
        """Which route answers what."""
        return {
            Action.PUT_DEVICES: self.put_devices,
            Action.PUT_DEVICE: self.put_device,
            Action.LIST_DEVICES: self.devices,
            Action.CHALLENGE: self.challenge,
            Action.DEVICE_LOGIN: self.log_in,
            Action.PUT_REPORT: self.put_report,
        }

    async def put_devices(self, request: Request) -> Response:
        """`PUT` of many devices."""
        batch = await self._context.read_json(request, DeviceBatch, BATCH_MAX_BYTES)
        return await self._put(request, batch.devices)

    async def put_device(self, request: Request, device: str) -> Response:
        """`PUT` of one device."""
        entry = await self._context.read_json(request, DeviceEntry, _ENTRY_MAX_BYTES)
        if entry.device_id != device:
            raise Refusal(
                Reason.INVALID_DEVICE, f"the body is of device {entry.device_id}, not of the path's"
            )
        return await self._put(request, [entry])

    async def devices(self, request: Request, after: After = None, limit: Limit = 100) -> Response:
        """`GET` of the devices that have a model of the account's."""
        behind = check_device_id(after) if after is not None else ""

        def read() -> list[SeenDevice]:
            with self._context.store.reading() as transaction:
                return rows.page(transaction, after=behind, limit=limit + 1)

        found = await self._context.in_thread(read)
        who = principal(request)
        page = found[:limit]
        answer = DevicePage(
            devices=[device for device in page if _may_see(who, device)],
            next=page[-1].device_id if len(found) > limit else None,
        )
        return JSONResponse(answer.to_wire())

    async def challenge(self, device: str) -> Response:
        """`POST` for a nonce."""
        return JSONResponse(self._logins.challenge(device).to_wire())

    async def log_in(self, request: Request, device: str) -> Response:
        """`POST` of the signature over a nonce."""
        wanted = await self._context.read_json(request, TokenRequest, TOKEN_REQUEST_MAX_BYTES)
        address = request.client.host if request.client else ""
        answer = await self._logins.log_in(device, wanted, address)
        audit_fields(request.scope).update(who=device, role=Role.DEVICE.value)
        return JSONResponse(answer.to_wire())

    async def put_report(self, request: Request, device: str) -> Response:
        """`PUT` of what a device runs, by itself."""
        who = principal(request)
        if who.name != device:
            raise Refusal(Reason.FORBIDDEN, "a device reports for itself only")
        report = await self._context.read_json(request, Report, REPORT_MAX_BYTES)
        audit_fields(request.scope).update(
            model=report.model, version=report.version, health=report.health.value
        )
        if not who.covers(report.model):
            raise Refusal(
                Reason.FORBIDDEN, f"model {report.model!r} is not among those of the device"
            )
        now = timestamp(self._context.clock())

        def write() -> None:
            with self._context.store.writing(f"device {device}") as transaction:
                rows.put_report(transaction, device, report, now)

        await self._context.in_thread(write)
        seen = SeenReport(**report.model_dump(), reported_at=now)
        return JSONResponse(seen.to_wire())

    async def _put(self, request: Request, entries: list[DeviceEntry]) -> Response:
        who, author = principal(request), self._context.author(request)
        done = await self._context.in_thread(
            lambda: put_devices(self._context.store, entries, who, author)
        )
        audit_fields(request.scope).update(changed=done.changed, suspended=done.suspended)
        return JSONResponse(Changed(changed=len(done.changed)).to_wire())


def _may_see(who: Principal, device: SeenDevice) -> bool:
    return who.role is Role.ADMIN or any(who.covers(model) for model in device.models)
