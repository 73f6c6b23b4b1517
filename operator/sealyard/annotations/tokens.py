"""The token that goes with each annotation: fetched by one, shared by all, renewed in time."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sealyard.errors import InvalidError

RENEW_SECONDS: Final = 120.0
"""So long before its end a token is renewed: the broker's time of taking counts, not ours."""

TokenProvider = Callable[[], Awaitable[str]]
"""Gives a new token, as from `POST /login` of the release API or an identity provider."""


class TokenSource:
    """A token that is good for a while yet.

    Args:
        provider: asked by one caller, while the others wait for what he gets.
        clock: seconds since the epoch.
    """

    def __init__(self, provider: TokenProvider, *, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def current(self) -> str:
        """The token.

        Raises:
            InvalidError: the provider gave none, or one that ends already.
            Exception: whatever the provider raises.
        """
        async with self._lock:
            if self._clock() >= self._renew_at:
                token = await self._provider()
                expires = expiry(token)
                now = self._clock()
                if expires <= now:
                    raise InvalidError("token: the provider gave one that has expired already")
                # A token of few minutes is renewed at half of its time.
                self._renew_at = expires - min(RENEW_SECONDS, (expires - now) / 2)
                self._token = token
            return self._token


def expiry(token: str) -> float:
    """When a JSON Web Token ends, in seconds since the epoch; its signature is others' business.

    Raises:
        InvalidError: it is none, or has no end.
    """
    try:
        _, payload, _ = token.split(".")
        expires = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return float(expires)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, AttributeError):
        raise InvalidError("token: the provider gave no JSON Web Token with an exp") from None
