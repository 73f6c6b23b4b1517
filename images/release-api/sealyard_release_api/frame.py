"""What surrounds every request: its id, how many at a time, headers, the audit line, counts."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sealyard.api.release_api import Reason
from sealyard_release_api.log import REQUEST_ID, audit
from sealyard_release_api.metrics import Metrics
from sealyard_release_api.wire import Refusal

_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)

# The parser bounds what it has not seen the end of, so what comes in one piece may be longer.
_HEADER_BYTES: Final = 1 << 16


class Frame:
    """ASGI middleware, the outermost.

    A route that wants a line in the audit trail puts its fields into `audit_fields(request.scope)`;
    status and reason are added when the answer is complete, before the last of it goes out.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, max_requests: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_requests = max_requests
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (or pass on the server's own messages)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = audit_fields(scope)
        begun = time.monotonic()
        # Never the client's: it could make two requests look like one.
        request_id = secrets.token_hex(8)
        REQUEST_ID.set(request_id)
        answer = _Answer(scope, send, request_id)

        # A server that is busy is alive: being restarted would not help it.
        busy = self._running >= self._max_requests and scope["path"] != "/healthz"
        self._running += 1
        self._metrics.running.set(self._running)
        try:
            if busy:
                fields["reason"] = Reason.UNAVAILABLE.value
                await _BUSY.response()(scope, receive, answer.send)
            elif sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADER_BYTES:
                fields["reason"] = Reason.INVALID_REQUEST.value
                await _LONG.response()(scope, receive, answer.send)
            else:
                await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            # The server ends, and has waited for this request as long as it may.
            if answer.status is not None:
                raise
            fields["reason"] = Reason.UNAVAILABLE.value
            await _ENDING.response()(scope, receive, answer.send)
        finally:
            self._running -= 1
            self._metrics.running.set(self._running)
            self._metrics.answered(
                event=fields.get("event", "other"),
                status=answer.status,
                reason=fields.get("reason", ""),
                seconds=time.monotonic() - begun,
            )
            answer.enter_in_trail()


class _Answer:
    """What goes out to one request."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._is_in_trail = False
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Pass a part of it on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (*_HEADERS, (b"x-request-id", self._request_id.encode()))
            message["headers"] = [*message["headers"], *own]
        elif not message.get("more_body", False):
            # Whoever has the whole answer can rely on its being in the trail.
            self.enter_in_trail()
        await self._send(message)

    def enter_in_trail(self) -> None:
        """Write the line of the audit trail, if there is to be one and it is not there."""
        fields = audit_fields(self._scope)
        if "event" not in fields or self._is_in_trail:
            return
        self._is_in_trail = True
        client = self._scope.get("client")
        audit({**fields, "status": self.status, "address": client[0] if client else None})


_BUSY = Refusal(Reason.UNAVAILABLE, "too many requests at the same time", {"Retry-After": "1"})
_LONG = Refusal(
    Reason.INVALID_REQUEST,
    f"the headers have more than {_HEADER_BYTES} bytes",
    {"Connection": "close"},
)
_ENDING = Refusal(
    Reason.UNAVAILABLE,
    "the server is stopping and the request has taken too long",
    {"Retry-After": "1", "Connection": "close"},
)


def audit_fields(scope: Scope) -> dict[str, Any]:
    """The fields of this request's line in the audit trail, to be filled."""
    fields: dict[str, Any] = scope.setdefault("sealyard.audit", {})
    return fields
