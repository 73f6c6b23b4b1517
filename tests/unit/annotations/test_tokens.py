"""A token is fetched once for all, and renewed before it ends."""

from __future__ import annotations

import asyncio

import pytest

from sealyard.annotations.tokens import RENEW_SECONDS, TokenSource, expiry
from sealyard.errors import InvalidError, UnavailableError
from support.identities import NOW, claims, token


class Provider:
    """Gives tokens that are good for so long from when they are asked for."""

    def __init__(self, seconds: float = 900) -> None:
        self.now = float(NOW)
        self.seconds = seconds
        self.asked = 0
        self.is_down = False

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise UnavailableError("the release API is away")
        return token(claims(iat=self.now, exp=self.now + self.seconds))


async def test_many_ask_at_once_and_one_fetches() -> None:
    provider = Provider()
    source = TokenSource(provider, clock=lambda: provider.now)
    assert len(set(await asyncio.gather(*(source.current() for _ in range(50))))) == 1
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(900, 900 - RENEW_SECONDS), (200, 100), (2 * RENEW_SECONDS, RENEW_SECONDS)],
)
async def test_it_is_renewed_before_it_ends(seconds: float, kept: float) -> None:
    provider = Provider(seconds)
    source = TokenSource(provider, clock=lambda: provider.now)
    first = await source.current()
    provider.now += kept - 1
    assert await source.current() == first
    provider.now += 1
    assert await source.current() != first
    assert provider.asked == 2


async def test_who_could_not_renew_tries_again() -> None:
    provider = Provider()
    source = TokenSource(provider, clock=lambda: provider.now)
    provider.is_down = True
    with pytest.raises(UnavailableError):
        await source.current()
    provider.is_down = False
    assert expiry(await source.current()) == NOW + 900


async def test_an_expired_one_is_refused() -> None:
    provider = Provider(0)
    with pytest.raises(InvalidError, match="token: the provider gave one that has expired already"):
        await TokenSource(provider, clock=lambda: provider.now).current()


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "a.b", token(claims(exp=None)), token(claims(exp="soon")), "a.bnVsbA.c"]
)
def test_what_is_no_token_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        expiry(text)
    assert str(caught.value) == "token: the provider gave no JSON Web Token with an exp"
