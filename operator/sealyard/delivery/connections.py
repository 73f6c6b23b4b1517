"""Connections to one server, verified, used again, and bound to the deadline of a request.

The standard library's HTTP over its TLS: the body of an answer goes from the TLS record straight to
where it is wanted, and what is sent is not copied. A GiB costs a quarter of the processor time that
a client needs which takes each record apart in Python (docs/adr/0018).
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_IDLE_SECONDS: Final = 5.0


class ConnectError(Exception):
    """There is no connection: no such name, nobody there, or no TLS. `cause` is what failed."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _DeadlineSocket(ssl.SSLSocket):
    """Every step ends at the deadline of the request that it serves.

    A socket's own timeout bounds one step, and begins anew with each byte.
    """

    deadline: float

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(buffer, nbytes, flags)

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        self.settimeout(_left(self.deadline))
        return super().send(data, flags)


class _Response(http.client.HTTPResponse):
    """Waits for the final answer: early hints and the like come before it (RFC 9110, 15.2)."""

    def _read_status(self) -> tuple[str, int, str]:
        # The standard library passes over 100 alone, and has no other place for this.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class Connection(http.client.HTTPSConnection):
    """One connection. Use it within `Connections.connection` only."""

    response_class = _Response
    sock: Any
    idle_since: float = 0.0
    _spoilt: bool = False

    def begin(self, deadline: float) -> None:
        """Connect if it is not, and bind everything until the next `begin` to a deadline.

        Args:
            deadline: by `time.monotonic`.

        Raises:
            ConnectError: there is no connection.
        """
        try:
            if self.sock is None:
                # Bounds name and connection, and then the whole handshake.
                self.timeout = _left(deadline)
                self.connect()
            self.sock.deadline = deadline
        except OSError as error:
            raise ConnectError(error) from None

    def ask(self, method: str, target: str, headers: dict[str, str], body: Any) -> None:
        """Send a request. A server may refuse it before it has all of the body, and say why.

        Raises:
            OSError, http.client.HTTPException: it could not be sent.
        """
        try:
            self.request(method, target, body=body or None, headers=headers)
        except TimeoutError:
            raise
        except OSError:
            if not _is_readable(self.sock):
                raise
            self._spoilt = True

    @property
    def is_usable(self) -> bool:
        """Whether another request may go over it: the server has neither closed it nor said more
        than it was asked."""
        return (
            self.sock is not None
            and not self._spoilt
            and time.monotonic() - self.idle_since < _IDLE_SECONDS
            and not _is_readable(self.sock)
        )


class Connections:
    """Connections to one server, as many as there are requests at once. Safe for many threads.

    Args:
        host: name or address.
        port: of TCP.
        context: verifies the server; it is this object's own from now on.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        context.sslsocket_class = _DeadlineSocket
        self._host = host
        self._port = port
        self._context = context
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def connection(self, deadline: float) -> Iterator[Connection]:
        """A connection for one request, kept for the next if the answer was read to its end.

        Args:
            deadline: of the request, by `time.monotonic`.

        Raises:
            ConnectError: there is none.
        """
        connection = self._take()
        try:
            connection.begin(deadline)
            yield connection
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close those that serve nobody."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return Connection(self._host, self._port, context=self._context)

    def _give_back(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        if not connection.is_usable:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the request's time is over")
    return left


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
