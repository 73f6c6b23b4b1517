"""Reading a request's body: of the right type, never too much of it, never for too long."""

from __future__ import annotations

import asyncio

from fastapi import Request

from sealyard.api.release_api import Reason
from sealyard_release_api.wire import Refusal


async def read_body(
    request: Request, *, content_type: str, max_bytes: int, seconds: float
) -> bytes:
    """The whole body.

    Raises:
        Refusal: `WrongContentType`, `TooLarge` (as soon as that is known) or `TooSlow`.
        ClientDisconnect: nobody waits for an answer any more.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != content_type:
        raise Refusal(
            Reason.WRONG_CONTENT_TYPE, f"Content-Type: {given[:80]!r} must be {content_type!r}"
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(Reason.WRONG_CONTENT_TYPE, "Content-Encoding: must not be given")
    too_large = Refusal(Reason.TOO_LARGE, f"the body must have at most {max_bytes} bytes")
    declared = request.headers.get("content-length", "0")
    if int(declared) > max_bytes:  # the HTTP parser has let only digits pass
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError:
        raise Refusal(
            Reason.TOO_SLOW,
            f"the body did not arrive within {seconds:g} s",
            {"Connection": "close"},
        ) from None
    return bytes(body)
