"""HTTP as every request of ours has it: https only, verified, and bounded in bytes and in time.

A server may be hostile. So there are no redirects, no proxy from the environment, no compression
(nothing can unfold), and one deadline over name, connection, handshake, headers and body: a server
that sends a byte now and then does not hold a Job for longer than one that is silent.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self, TypeAlias

import httpcore
import httpx
from pydantic import TypeAdapter, ValidationError

from sealyard.api.model import HttpsUrl
from sealyard.delivery.retry import TransientError
from sealyard.delivery.tls import CaBundle, UntrustedError, client_context, explain
from sealyard.errors import InvalidError, UnavailableError

Buffer: TypeAlias = bytes | bytearray | memoryview

# Some S3 servers give back how an upload was framed, though the bytes are the object's own.
_NO_ENCODING = frozenset({"", "identity", "aws-chunked"})
_SLICE_BYTES = 1 << 20
_RECEIVE_BYTES = 1 << 18
_CONNECTIONS = 128
_URL: TypeAdapter[str] = TypeAdapter(HttpsUrl)
_DEADLINE: ContextVar[float] = ContextVar("deadline")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, read to its end and no longer than was allowed.

    Attributes:
        status: of HTTP.
        headers: of HTTP.
        body: empty if it went elsewhere.
        filled: what `Bounds.into` has of it, if it went there.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    filled: memoryview | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer may cost.

    Attributes:
        body_bytes: the longest body.
        seconds: from the first attempt to reach the server to the last byte.
        into: takes the body of a range (status 206), which is no longer than this, without a copy.
    """

    body_bytes: int
    seconds: float
    into: memoryview | None = None


class HttpClient:
    """Sends requests to one server. Safe to use from many threads.

    Args:
        what: what the server is in messages, such as `release API`.
        url: https, without user information or query; its path is put before every other.
        bundle: the CAs to trust; the system's roots without one.

    Raises:
        InvalidError: the URL is not of that form.
        MissingError: the CA bundle is not there.
    """

    def __init__(self, what: str, url: str, *, bundle: CaBundle | None = None) -> None:
        self.url = check_url(what, url)
        self._bundle = bundle
        self.name = f"{what} {httpx.URL(self.url).netloc.decode('ascii')}"
        self._client = httpx.Client(
            transport=_DeadlineTransport(client_context(bundle)),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the deadline of the transport bounds every step
            headers={
                "User-Agent": f"sealyard/{version('sealyard')}",
                "Accept-Encoding": "identity",
            },
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        bounds: Bounds,
        headers: Mapping[str, str] | None = None,
        body: Buffer = b"",
    ) -> Reply:
        """The answer, whatever its status.

        Args:
            method: the HTTP method.
            path: below the client's URL, with its query.
            bounds: what the answer may cost.
            headers: beside those that every request has.
            body: what to send; replayable, so that a caller may try again.

        Raises:
            TransientError: no connection, no answer in time, or one that broke off.
            UntrustedError: TLS does not verify (which no attempt of this Job can mend; the CA
                bundle, the URL or the certificate may be corrected while the operator tries
                again).
            UnavailableError: the answer is longer than allowed, encoded, or no HTTP.
        """
        url = self.url + path
        length = {"Content-Length": str(len(body))} if body else {}
        request = self._client.build_request(
            method,
            url,
            headers={**(headers or {}), **length},
            content=_slices(body) if body else None,
        )
        try:
            with _deadline(bounds.seconds):
                response = self._client.send(request, stream=True)
                try:
                    status, headers = response.status_code, response.headers
                    self._refuse_encoding(headers)
                    if bounds.into is not None and status == httpx.codes.PARTIAL_CONTENT:
                        return Reply(status, headers, b"", self._read_into(response, bounds.into))
                    return Reply(status, headers, self._read(response, bounds))
                finally:
                    response.close()
        except httpx.HTTPError as error:
            failure = self._explained(error, bounds)
        # Raised here and not in the handler: the context would carry the request and its token.
        raise failure

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _refuse_encoding(self, headers: httpx.Headers) -> None:
        if headers.get("Content-Encoding", "identity").lower() not in _NO_ENCODING:
            raise UnavailableError(f"{self.name} sent an encoded body though none was asked for")

    def _read(self, response: httpx.Response, bounds: Bounds) -> bytes:
        body = bytearray()
        for piece in response.iter_raw(_RECEIVE_BYTES):
            if len(body) + len(piece) > bounds.body_bytes:
                raise self._too_long(bounds.body_bytes)
            body += piece
        return bytes(body)

    def _read_into(self, response: httpx.Response, out: memoryview) -> memoryview:
        used = 0
        for piece in response.iter_raw():
            if used + len(piece) > len(out):
                raise self._too_long(len(out))
            out[used : used + len(piece)] = piece
            used += len(piece)
        return out[:used]

    def _too_long(self, limit: int) -> UnavailableError:
        return UnavailableError(
            f"{self.name} sent more than the {limit} bytes that such an answer may have"
        )

    def _explained(self, error: httpx.HTTPError, bounds: Bounds) -> UnavailableError:
        if isinstance(error, httpx.TimeoutException):
            return TransientError(f"{self.name} gave no whole answer within {bounds.seconds:.3g} s")
        why = explain(error, self._bundle)
        if why is not None:
            return UntrustedError(f"{self.name}: {why}")
        return TransientError(f"{self.name}: {_describe(error)}")


def check_url(what: str, url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        InvalidError: it is not https, or has user information, a query or a fragment. The URL is
            not repeated, because that is where secrets hide.
    """
    try:
        return _URL.validate_python(url).rstrip("/")
    except ValidationError:
        raise InvalidError(
            f"{what}: its URL must be https://host[:port][/path], without user and query"
        ) from None


def _describe(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        cause = _first_os_error(error)
        return f"cannot be reached ({cause})" if cause else "cannot be reached"
    if isinstance(error, httpx.RemoteProtocolError):
        return "broke off its answer, or it is no HTTP"
    return "the connection broke"


def _first_os_error(error: BaseException) -> str | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return None


def _slices(body: Buffer) -> Iterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(view), _SLICE_BYTES):
        yield bytes(view[start : start + _SLICE_BYTES])


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    token = _DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _left(timed_out: Callable[[], Exception]) -> float:
    left = _DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise timed_out()
    return left


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline of the request that it serves."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        # A view: the stream below cuts off what each TLS record took, and would copy the rest.
        view = memoryview(buffer)
        for start in range(0, len(view), 1 << 16):
            piece: Any = view[start : start + (1 << 16)]
            self._stream.write(piece, _left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = _left(httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline takes its place
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(httpcore.ConnectTimeout)
        return _DeadlineStream(
            self._backend.connect_tcp(host, port, left, local_address, socket_options)
        )


class _DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over a pool whose connections know the deadline.

    httpx bounds each single step only (every `recv` anew), and offers no other place for this.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_CONNECTIONS,
            keepalive_expiry=5.0,
            network_backend=_DeadlineBackend(),
        )
