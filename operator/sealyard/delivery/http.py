"""HTTP as every request of ours has it: https only, verified, and bounded in bytes and in time.

A server may be hostile. So there are no redirects, no proxy from the environment, no compression
(nothing can unfold), and one deadline over connection, handshake, headers and body: a server that
sends a byte now and then does not hold a Job for longer than one that is silent.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from sealyard.api.model import HttpsUrl
from sealyard.delivery.connections import ConnectError, Connections
from sealyard.delivery.retry import TransientError
from sealyard.delivery.tls import CaBundle, UntrustedError, client_context, explain
from sealyard.errors import InvalidError, UnavailableError

Buffer: TypeAlias = bytes | bytearray | memoryview

# Some S3 servers give back how an upload was framed, though the bytes are the object's own.
_NO_ENCODING = frozenset({"", "identity", "aws-chunked"})
_RECEIVE_BYTES: Final = 1 << 18
_HTTPS_PORT: Final = 443
_URL: TypeAdapter[str] = TypeAdapter(HttpsUrl)


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
    headers: http.client.HTTPMessage
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


class TooLongError(UnavailableError):
    """An answer has more bytes than such an answer may have."""


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
        where = urlsplit(self.url)
        self.name = f"{what} {where.netloc}"
        self._path = where.path
        self._connections = Connections(
            where.hostname or "", where.port or _HTTPS_PORT, client_context(bundle)
        )
        self._headers = {
            "User-Agent": f"sealyard/{version('sealyard')}",
            "Accept-Encoding": "identity",
        }

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
            TooLongError: the answer is longer than allowed.
            UnavailableError: it is encoded, or no HTTP.
        """
        length = {"Content-Length": str(len(body))} if body else {}
        all_headers = {**self._headers, **(headers or {}), **length}
        deadline = time.monotonic() + bounds.seconds
        try:
            with self._connections.connection(deadline) as connection:
                connection.ask(method, self._path + path, all_headers, body)
                with connection.getresponse() as response:
                    return self._reply(response, bounds)
        except (ConnectError, OSError, http.client.HTTPException) as error:
            failure = self._explained(error, bounds)
        except ValueError:
            # Of the standard library, with the header that it is about.
            failure = UnavailableError(
                f"{self.name}: the request holds what HTTP cannot carry; correct the credential"
            )
        # Raised here and not in the handler: the context would carry the request and its token.
        raise failure

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _reply(self, response: http.client.HTTPResponse, bounds: Bounds) -> Reply:
        status, headers = response.status, response.headers
        if headers.get("Content-Encoding", "identity").lower() not in _NO_ENCODING:
            raise UnavailableError(f"{self.name} sent an encoded body though none was asked for")
        if bounds.into is not None and status == http.HTTPStatus.PARTIAL_CONTENT:
            return Reply(status, headers, b"", self._read_into(response, bounds.into))
        return Reply(status, headers, self._read(response, bounds.body_bytes))

    def _read(self, response: http.client.HTTPResponse, limit: int) -> bytes:
        body = bytearray()
        while piece := response.read(_RECEIVE_BYTES):
            if len(body) + len(piece) > limit:
                raise self._too_long(limit)
            body += piece
        _require_end(response)
        return bytes(body)

    def _read_into(self, response: http.client.HTTPResponse, out: memoryview) -> memoryview:
        used = 0
        while used < len(out) and (received := response.readinto(out[used:])):
            used += received
        if response.read(1):
            raise self._too_long(len(out))
        _require_end(response)
        return out[:used]

    def _too_long(self, limit: int) -> TooLongError:
        return TooLongError(
            f"{self.name} sent more than the {limit} bytes that such an answer may have"
        )

    def _explained(self, error: Exception, bounds: Bounds) -> UnavailableError:
        cause = error.cause if isinstance(error, ConnectError) else error
        if isinstance(cause, TimeoutError):
            return TransientError(f"{self.name} gave no whole answer within {bounds.seconds:.3g} s")
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return TransientError(f"{self.name}: the connection broke")
        # What fails in the middle is no question of trust, but of what lies in between.
        why = explain(cause, self._bundle) if isinstance(error, ConnectError) else None
        if why is not None:
            return UntrustedError(f"{self.name}: {why}")
        if isinstance(cause, http.client.HTTPException):
            return TransientError(f"{self.name}: broke off its answer, or it is no HTTP")
        if cause is error:
            return TransientError(f"{self.name}: the connection broke")
        told = f" ({cause.strerror})" if isinstance(cause, OSError) and cause.strerror else ""
        return TransientError(f"{self.name}: cannot be reached{told}")


def check_url(what: str, url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        InvalidError: it is not https, or has user information, a query or a fragment. The URL is
            not repeated, because that is where secrets hide.
    """
    try:
        checked = _URL.validate_python(url).rstrip("/")
        where = urlsplit(checked)
        named = bool((where.hostname or "").encode("idna")) and where.port != 0
    except ValueError:  # also what pydantic raises, a port beyond 65535, a name that is none
        named = False
    if not named:
        raise InvalidError(
            f"{what}: its URL must be https://host[:port][/path], without user and query"
        )
    return checked


def _require_end(response: http.client.HTTPResponse) -> None:
    """The standard library takes a body that ends too early for a whole one."""
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
