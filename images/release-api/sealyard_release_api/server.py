"""Running the application: TLS, bounded connections, reloading, a stop that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sealyard.api.device_api import origin_of
from sealyard.api.release_api import ErrorBody, Reason
from sealyard.errors import UnavailableError
from sealyard_release_api.app import create_app
from sealyard_release_api.config import Settings
from sealyard_release_api.log import SERVER, audit
from sealyard_release_api.metrics import Metrics, serving
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.routes import Api
from sealyard_release_api.store import Store

_UNWANTED_BYTES = 1 << 20
"""How much is read of a body that is no longer wanted, so that its sender gets the answer."""
_FAREWELL_SECONDS = 2
_LAST_WORD_SECONDS = 0.5
"""How long an answer to what is no HTTP has to arrive before the connection is closed."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        MissingError: a file of the Secret is missing, or the data folder cannot be used.
        InvalidError: a file is wrong.
        UnavailableError: an address is taken, or the database's server cannot be reached.
    """
    mounted = Mounted(settings.secrets_dir, issuer=settings.issuer)
    metrics = Metrics()
    with (
        contextlib.closing(Store.open(settings.database())) as store,
        listen(settings.host, settings.port) as listener,
        contextlib.closing(
            Api(settings, mounted, store, origins=settings.origins or (_origin(listener),))
        ) as api,
        serving(metrics, settings.host, settings.metrics_port),
        asyncio.Runner(loop_factory=lambda: _Loop(settings.peer_seconds)) as runner,
    ):
        app = create_app(api, metrics, max_requests=settings.max_requests)
        runner.run(_serve(settings, mounted, app, listener))


async def _serve(
    settings: Settings, mounted: Mounted, app: ASGIApp, listener: socket.socket
) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            http=_protocol(settings.max_connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=settings.peer_seconds,
            timeout_graceful_shutdown=settings.grace_seconds,
            ssl_context_factory=lambda _config, _default: mounted.tls,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    reloading = asyncio.create_task(_reload(mounted, settings.reload_seconds))
    try:
        await server.serve(sockets=[listener])
    finally:
        reloading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reloading
    SERVER.info("stopped")


async def _reload(mounted: Mounted, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        if await asyncio.to_thread(mounted.refresh):
            audit({"event": "secret-reloaded", "users": len(mounted.credentials.accounts.users)})


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose servers wait for a handshake no longer than for anything else of a peer."""

    def __init__(self, peer_seconds: float) -> None:
        super().__init__()
        self._peer_seconds = peer_seconds

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        return await super().create_server(
            *args, **options, ssl_handshake_timeout=self._peer_seconds
        )


class _Server(uvicorn.Server):
    """Uvicorn that is told to stop: its own handlers raise the signal again at the end."""

    def stop(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            fields = {"message": "listening", "host": host, "port": port}
            SERVER.info("listening", extra={"fields": fields})


class _BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose peers cannot keep a connection by sending nothing, or never ending."""

    max_connections: int
    _deadline: asyncio.TimerHandle | None = None
    _unwanted = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
        over = self._refused or self.conn.our_state is h11.DONE
        self._unwanted = self._unwanted + len(data) if over else 0
        if self._unwanted > _UNWANTED_BYTES:
            self.transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        self._close_soon()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._close_soon()

    def send_400_response(self, msg: str) -> None:
        body = ErrorBody(error=Reason.INVALID_REQUEST, message=msg).model_dump_json().encode()
        state = self.conn.our_state
        if state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return
        # Whoever asks for the head alone gets no more, also where the rest of it is no HTTP.
        has_body = state is h11.IDLE or self.scope["method"] != "HEAD"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        events: tuple[Any, ...] = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            *([h11.Data(data=body)] if has_body else []),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        if self.cycle:
            # A route that was reading this body finds nobody there, and answers nothing more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        # Closed with bytes unread, the kernel resets the connection, and the answer with it.
        self._refused = True
        self.loop.call_later(_LAST_WORD_SECONDS, self.transport.close)

    def _close_soon(self) -> None:
        """A closing TLS connection waits long for its peer's farewell, which may never come."""
        if self.transport.is_closing():
            self.loop.call_later(_FAREWELL_SECONDS, self.transport.abort)

    def _watch(self) -> None:
        """Run a deadline while the next move is the peer's and nothing else counts its time."""
        peer_owes = self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE
        if not peer_owes:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _origin(listener: socket.socket) -> str:
    """Where the server listens: what devices sign, unless it is told what they call it."""
    host, port = listener.getsockname()[:2]
    return origin_of(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")


def _protocol(max_connections: int) -> type[_BoundedProtocol]:
    """The protocol with its bound: uvicorn makes one for every connection, without arguments."""
    return type("BoundedProtocol", (_BoundedProtocol,), {"max_connections": max_connections})


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket, closed at the end.

    Raises:
        UnavailableError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named; without,
    # every answer waits 40 ms for the acknowledgement of its headers.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UnavailableError(
                f"--host, --port: cannot listen on {host} port {port}: {error.strerror}"
            ) from None
        yield listener
