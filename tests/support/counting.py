"""A TLS proxy before a store: counts what is asked for, and can hold back an answer."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from sealyard_local.pki import CertPair


@dataclass(frozen=True)
class Asked:
    """One ranged request; `end` is exclusive."""

    path: str
    begin: int
    end: int


class CountingProxy:
    """Passes every byte on, between a client that trusts `pair` and a server at `upstream`.

    Args:
        upstream: the server's URL.
        ca_file: what the server's certificate is verified with.
        pair: the proxy's own certificate.
        hold_after: when so many bytes were answered, no more are, until `release`. At the end of
            the block whatever is held is lost.
        hold_second: of the requests that begin so ("PUT /releases"), the first is passed on alone.
    """

    def __init__(
        self,
        upstream: str,
        ca_file: Path,
        pair: CertPair,
        *,
        hold_after: int | None = None,
        hold_second: str | None = None,
    ) -> None:
        address = urlsplit(upstream)
        self._upstream = (str(address.hostname), int(address.port or 443))
        self._as_client = ssl.create_default_context(cafile=str(ca_file))
        self._as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pair.write(Path(folder))
            self._as_server.load_cert_chain(Path(folder) / "tls.crt", Path(folder) / "tls.key")
        self._hold_after = hold_after
        self._hold_second = hold_second
        self._passed = 0
        self._free = threading.Event()
        self.holds = threading.Event()
        self.asked: list[Asked] = []
        self.answered_bytes = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def release(self) -> None:
        """Let everything through from now on."""
        self._hold_after = None
        self._free.set()

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self.release()
        for thread in list(self._threads):
            thread.join(10)
        self._listener.close()

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """One request after the other: a client of HTTP/1.1 waits for each answer."""
        with (
            contextlib.suppress(OSError),
            connection,
            socket.create_connection(self._upstream, 10) as server,
            self._as_server.wrap_socket(connection, server_side=True) as client,
            self._as_client.wrap_socket(server, server_hostname=self._upstream[0]) as store,
        ):
            # Only the connection is made within a time: a busy machine may answer late.
            store.settimeout(None)
            for side in (client, store):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [client, store]
            while head := _head(client):
                self._note(head)
                if self._is_held(head):
                    self.holds.set()
                    self._free.wait(120)
                store.sendall(head)
                _pass_on(client, store, _content_length(head))
                self._answer(store, client)

    def _note(self, head: bytes) -> None:
        text = head.decode("latin-1")
        ranged = re.search(r"(?im)^range: bytes=(\d+)-(\d+)\r$", text)
        if ranged:
            path = text.split(" ", 2)[1]
            with self._lock:
                self.asked.append(Asked(path, int(ranged[1]), int(ranged[2]) + 1))

    def _is_held(self, head: bytes) -> bool:
        if self._hold_second is None or not head.startswith(self._hold_second.encode()):
            return False
        with self._lock:
            self._passed += 1
            return self._passed > 1

    def _answer(self, store: ssl.SSLSocket, client: ssl.SSLSocket) -> None:
        head = _head(store)
        left = _content_length(head)
        client.sendall(head)
        while left:
            data = store.recv(min(left, 1 << 16))
            if not data:
                return
            left -= len(data)
            with self._lock:
                self.answered_bytes += len(data)
                held = self._hold_after is not None and self.answered_bytes > self._hold_after
            if held:
                self.holds.set()
                self._free.wait(120)
            client.sendall(data)


def _content_length(head: bytes) -> int:
    length = re.search(rb"(?im)^content-length: (\d+)\r$", head)
    return int(length[1]) if length else 0


def _pass_on(source: ssl.SSLSocket, sink: ssl.SSLSocket, left: int) -> None:
    while left and (data := source.recv(min(left, 1 << 16))):
        left -= len(data)
        sink.sendall(data)


def _head(connection: ssl.SSLSocket) -> bytes:
    """Up to the empty line, byte by byte so that nothing of the body is taken; empty at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head
