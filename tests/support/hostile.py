"""A TLS server that misbehaves on purpose: the attack itself, so it is no stand-in for a server."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sealyard_local.pki import CertPair


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    head: str
    body: bytes


Behaviour = Callable[[Request, "Hostile", ssl.SSLSocket], None]


class Hostile:
    """Answers each request as `behaviour` says, and then closes the connection."""

    def __init__(self, pair: CertPair, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pair.write(Path(folder))
            context.load_cert_chain(Path(folder) / "tls.crt", Path(folder) / "tls.key")
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with contextlib.suppress(OSError), connection:
            tls = self._context.wrap_socket(connection, server_side=True)
            with tls:
                request = _read_request(tls)
                self.requests.append(request)
                self.behaviour(request, self, tls)


def _read_request(tls: ssl.SSLSocket) -> Request:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(tls)
    head, _, body = received.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    lines = text.split("\r\n")
    lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
    wanted = int(lengths[0]) if lengths else 0
    while len(body) < wanted:
        body += _some(tls)
    method, path, _ = lines[0].split(" ", 2)
    return Request(method, path, text, body)


def _some(tls: ssl.SSLSocket) -> bytes:
    data = tls.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def answer(
    status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
) -> Behaviour:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def raw(data: bytes) -> Behaviour:
    """These bytes and nothing more."""

    def behave(_request: Request, _server: Hostile, tls: ssl.SSLSocket) -> None:
        tls.sendall(data)

    return behave


def chunk_of(size: bytes) -> Behaviour:
    """An answer in chunks, of which the first says that it has this size."""
    return raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + b"x" * 1000
    )


def never(_request: Request, server: Hostile, _tls: ssl.SSLSocket) -> None:
    """No answer, on a connection that stays open."""
    server.stopped.wait(60)


def drip(first: bytes, again: bytes) -> Behaviour:
    """A byte now and then, without end."""

    def behave(_request: Request, server: Hostile, tls: ssl.SSLSocket) -> None:
        tls.sendall(first)
        while not server.stopped.wait(0.05):
            tls.sendall(again)

    return behave


DRIPPED_HEADERS = drip(b"HTTP/1.1 200 OK\r\nX: ", b"x")
DRIPPED_BODY = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x")
INFORMATIONAL = drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n")
TRUNCATED = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
NO_HTTP = raw(b"SSH-2.0-OpenSSH_9.2\r\n")
TEN_MEGABYTES = answer(200, b"x" * 10_000_000)
ENDLESS = drip(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
)
"""More than any bound in a second."""
