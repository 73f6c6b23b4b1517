"""Raw HTTP requests, each a good one that something was done to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from urllib.parse import quote

_METHODS = ("GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get")
_TYPES = (
    "application/json",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "text/xml",
    "",
    "\u00e4",
)
_NAMES = (
    "coins",
    "1.0.0",
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "%ff",
    "%",
    "%zz",
    "",
    "A" * 300,
    "a b",
    "\u202e",
    "'--",
    "1.0.0+build",
    "{model}",
    "\\..\\",
    "nobody@example.org",
    "0" * 32,
    "timestamp.json",
    "1.root.json",
    "channels",
    f"{'0' * 64}.stable.json",
)
_BODIES = (
    b"",
    b"{}",
    b"null",
    b"[" * 3000,
    b'{"email": "a@b", "password": "\\u0000"}',
    b'{"email": "a\\u0000@b", "password": "x"}',
    b'{"email": 1e999, "password": {}}',
    b'{"disabled": true}',
    b'{"disabled": 1}',
    b'{"devices": [{"deviceId": "\\u0000", "models": ["a"], "notAfter": "\\u0000"}]}',
    b'{"nonce": "%b=", "signature": "%b=="}' % (b"A" * 43, b"A" * 86),
    b'{"model": "a", "version": "1.0.0", "variant": "v", "sha256": "%b", "slots": [{}]}'
    % (b"0" * 64),
    b'{"signatures": [{}], "signed": {"_type": "root", "version": 1, "x": "\\u0000"}}',
    b'{"signatures": [{}], "signed": {"_type": "timestamp", "version": 1e400}}',
    b"\xff\xfe\x00",
    bytes(320),
    bytes(3073),
    bytes(270_000),
)
_HEADERS = (
    "Expect: 100-continue",
    "Expect: nonsense",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x",
    "Upgrade: h2c",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Content-Length: 99999999999999999999",
    "Content-Length: 1\r\nContent-Length: 2",
    "Content-Encoding: gzip",
    "If-Match: *",
    'If-Match: "' + "0" * 64 + '", W/"x"',
    "If-Match: " + "," * 2000,
    "Range: bytes=0-0",
    "Host: another",
    "X: " + "y" * 8000,
    " folded",
    "no colon",
    "Na\x00me: x",
    "X-Forwarded-For: 1.2.3.4",
    "Cookie: a=b",
)


def raw_request(chance: Random, paths: Sequence[str], tokens: Sequence[str]) -> bytes:
    """One request that closes its connection, as bytes; it may be cut off, or no HTTP at all.

    Args:
        chance: everything that is chosen is chosen with it.
        paths: of the contract, with their `{names}`.
        tokens: bearer tokens that are good.
    """
    body = chance.choice(_BODIES)
    headers = ["Host: x", "Connection: close"]
    if chance.random() < 0.85:
        headers.append(f"Authorization: Bearer {_token(chance, tokens)}")
    if chance.random() < 0.85:
        headers.append(f"Content-Type: {chance.choice(_TYPES)}")
    if chance.random() < 0.4:
        headers.append(chance.choice(_HEADERS))
    if chance.random() < 0.1:
        headers.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif body or chance.random() < 0.5:
        headers.append(f"Content-Length: {len(body)}")
    chance.shuffle(headers)
    version = chance.choice(("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/2", "HTTP/9.9", ""))
    line = f"{chance.choice(_METHODS)} {_target(chance, paths)} {version}"
    head = "\r\n".join([line, *headers]) + "\r\n\r\n"
    return _spoil(chance, head.encode("utf-8") + body)


def _target(chance: Random, paths: Sequence[str]) -> str:
    parts = chance.choice(paths).split("/")
    target = "/".join(chance.choice(_NAMES) if part.startswith("{") else part for part in parts)
    if chance.random() < 0.3:
        key, value = (
            chance.choice(("limit", "after", "model", "x")),
            chance.choice((*_NAMES, "0", "501")),
        )
        target += f"?{key}={value}"
    return target if chance.random() < 0.7 else quote(target, safe="/?=&%")


def _token(chance: Random, tokens: Sequence[str]) -> str:
    token = chance.choice(tokens)
    if chance.random() < 0.85:
        return token
    at = chance.randrange(len(token))
    return chance.choice((token[:at], token[:at] + "\u00e9" + token[at:], token * 3, "a.b.c"))


def _spoil(chance: Random, request: bytes) -> bytes:
    spoils: Sequence[Callable[[bytes, int], bytes]] = (
        lambda raw, at: raw[:at],
        lambda raw, at: raw[:at] + b"\0" + raw[at:],
        lambda raw, at: raw[:at] + bytes([raw[at] ^ 0x80]) + raw[at + 1 :],
        lambda raw, at: raw[:at] + raw[at:].replace(b"\r\n", b"\n"),
        lambda raw, at: raw[at:],
    )
    if chance.random() < 0.85:
        return request
    return chance.choice(spoils)(request, chance.randrange(len(request)))
