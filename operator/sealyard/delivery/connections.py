"""Connections to one server, verified, used again, and bound to the deadline of a request.

The standard library's HTTP over its TLS: the body of an answer goes from the TLS record straight to
where it is wanted, and what is sent is not copied. That takes less than half of the processor time
that a client needs which takes each record apart in Python (docs/adr/0018).
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

# Less than servers wait: a request must not meet the end of its connection.
_IDLE_SECONDS: Final = 3.0


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

    def _read_next_chunk_size(self) -> int:
        # Taken as it comes, a negative one would mean: whatever is sent, to the end.
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise http.client.HTTPException("a chunk of negative size")
        return size


class Connection(http.client.HTTPSConnection):
    """One connection. Use it within `Connections.connection` only."""

    response_class = _Response
    sock: Any
    deadline: float = 0.0
    idle_since: float = 0.0
    _spoilt: bool = False

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port, context=context)
        self._verifying = context

    def begin(self, deadline: float) -> None:
        """Connect if it is not, and bind everything until the next `begin` to a deadline.

        Args:
            deadline: by `time.monotonic`.

        Raises:
            ConnectError: there is no connection.
        """
        self.deadline = deadline
        try:
            if self.sock is None:
                self.connect()
            self.sock.deadline = deadline
        except OSError as error:
            raise ConnectError(error) from None

    def connect(self) -> None:
        """Reach the first address of the name that answers, and verify who is there.

        All of it within the deadline, but for the name: the resolver has bounds of its own.

        Raises:
            OSError: nobody answers, or not who was asked for.
        """
        reached = _reach(self.host, self.port, self.deadline)
        try:
            reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # One timeout for the whole handshake.
            reached.settimeout(_left(self.deadline))
            self.sock = self._verifying.wrap_socket(reached, server_hostname=self.host)
        except BaseException:
            reached.close()
            raise

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
        return Connection(self._host, self._port, self._context)

    def _give_back(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        if not connection.is_usable:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)


def _reach(host: str, port: int, deadline: float) -> socket.socket:
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        reached = socket.socket(family, kind, protocol)
        try:
            reached.settimeout(_left(deadline))
            reached.connect(address)
        except OSError as error:
            reached.close()
            failure = error
        else:
            # A body follows its headers at once, rather than after their acknowledgement.
            reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return reached
    raise failure or OSError("no address")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the request's time is over")
    return left


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
