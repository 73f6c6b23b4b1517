"""boto3 signs and reads S3; the bytes travel by our own HTTP client.

botocore's own transport takes proxies and CAs from the environment, reads an error's body however
long it is, and has no deadline over a whole request. Its event `before-send` is the place where
another transport can answer instead; so the CDN gets the very bounds that the release API has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.secrets import Pair
from sealyard.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_BOUNDS: ContextVar[Bounds] = ContextVar("bounds")

# What botocore would otherwise look for in the environment and in somebody's home.
_NOWHERE = (None, None, None, None)
_NO_FILE = (None, None, os.devnull, None)
_SESSION_VARIABLES = {
    "profile": _NOWHERE,
    "ca_bundle": _NOWHERE,
    "config_file": _NO_FILE,
    "credentials_file": _NO_FILE,
}

_CONFIG: dict[str, Any] = {
    "signature_version": "s3v4",
    "defaults_mode": "legacy",
    "ignore_configured_endpoint_urls": True,
    "use_dualstack_endpoint": False,
    "use_fips_endpoint": False,
    "proxies": {},
    "retries": {"total_max_attempts": 1, "mode": "standard"},
    # A checksum of each body goes with it in a header, made by the caller: what botocore makes
    # goes in a trailer, which old stores answer with 411.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
    "s3": {"addressing_style": "path", "payload_signing_enabled": False},
}


class _Body:
    """The body of an answer, all of it there, as botocore reads one."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = content

    def read(self, _amount: int | None = None) -> bytes | memoryview:
        content, self._content = self._content, b""
        return content

    def stream(self, _amount: int = 0) -> Iterator[bytes]:
        yield bytes(self.read())


def s3_client(http: HttpClient, *, region: str, credential: Pair) -> S3Client:
    """An S3 client with these keys and no other source of any setting.

    A request made with it needs `bounded` around it, and raises what `HttpClient.send` raises. It
    is made once: the caller tries again.
    """
    session = botocore.session.Session(session_vars=_SESSION_VARIABLES)
    client: Any = session.create_client(
        "s3",
        region_name=region,
        endpoint_url=http.url,
        aws_access_key_id=credential.name,
        aws_secret_access_key=credential.secret,
        config=Config(**_CONFIG),
    )

    def answer(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        if request.method == "HEAD":
            # Never ours: botocore looks for another region because an error told it to.
            raise UnavailableError(f"{http.name} says that the bucket is in another region")
        body: Any = request.body or b""
        if not isinstance(body, bytes | bytearray):
            raise TypeError(f"the body is a {type(body).__name__}, must be bytes")
        items: list[tuple[str, Any]] = list(request.headers.items())
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in items
            # The body follows at once, and its length is said anyway.
            if name.lower() not in {"expect", "content-length"}
        }
        wanted = urlsplit(request.url)
        path = wanted.path.removeprefix(urlsplit(http.url).path)
        path += f"?{wanted.query}" if wanted.query else ""
        reply = http.send(
            request.method or "GET", path, bounds=_BOUNDS.get(), headers=headers, body=body
        )
        if 300 <= reply.status < 400:
            # botocore would ask around for another region and go there.
            raise UnavailableError(
                f"{http.name} redirects elsewhere (status {reply.status}); redirects are not "
                "followed, correct the endpoint"
            )
        answered = HTTPHeaders.from_dict(dict(reply.headers))
        body = reply.body if reply.filled is None else reply.filled
        return AWSResponse(request.url, reply.status, answered, _Body(body))

    client.meta.events.register("before-send.s3", answer)
    result: S3Client = client
    return result


@contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """What the answers to the requests inside may cost."""
    token = _BOUNDS.set(bounds)
    try:
        yield
    finally:
        _BOUNDS.reset(token)
