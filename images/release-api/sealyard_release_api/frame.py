"""What surrounds every request: how many at a time, headers, and the audit line."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sealyard.api.release_api import Reason
from sealyard_release_api.log import audit
from sealyard_release_api.wire import Refusal

_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class Frame:
    """ASGI middleware, the outermost.

    A route that wants a line in the audit trail puts its fields into `audit_fields(request.scope)`;
    status and reason are added when the answer goes out.
    """

    def __init__(self, app: ASGIApp, *, max_requests: int) -> None:
        self._app = app
        self._max_requests = max_requests
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (or pass on the server's own messages)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = audit_fields(scope)
        status: int | None = None

        async def framed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        # A server that is busy is alive: being restarted would not help it.
        if self._running >= self._max_requests and scope["path"] != "/healthz":
            busy = Refusal(
                Reason.UNAVAILABLE, "too many requests at the same time", {"Retry-After": "1"}
            )
            await busy.response()(scope, receive, framed_send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, framed_send)
        finally:
            self._running -= 1
            if "event" in fields:
                client = scope.get("client")
                audit({**fields, "status": status, "address": client[0] if client else None})


def audit_fields(scope: Scope) -> dict[str, Any]:
    """The fields of this request's line in the audit trail, to be filled."""
    fields: dict[str, Any] = scope.setdefault("sealyard.audit", {})
    return fields
