"""What only a release API can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealyard.delivery.tls import CaBundle
from sealyard.errors import (
    IntegrityError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard_local.pki import CertPair
from support import hostile
from support.hostile import Behaviour, Hostile
from support.hostile_clients import LOGIN, RELEASE, SECRET, api_client, log_in


@pytest.fixture
def after_login(pair: CertPair) -> Iterator[Callable[[Behaviour], Hostile]]:
    """A server that accepts the login and then does its worst."""
    servers: list[Hostile] = []

    def make(behaviour: Behaviour) -> Hostile:
        def behave(request: hostile.Request, server: Hostile, tls: object) -> None:
            chosen = LOGIN if request.path == "/login" else behaviour
            chosen(request, server, tls)  # type: ignore[arg-type]

        server = Hostile(pair, behave)
        servers.append(server)
        return server.__enter__()

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (hostile.answer(403), RefusedError, "^Forbidden"),
        (hostile.answer(401), RefusedError, "token that it has just given"),
        (hostile.TEN_MEGABYTES, UnavailableError, "more than the 262144 bytes"),
        (
            hostile.answer(404, b'{"error": "NotFound", "message": "hunter2-correct-horse"}'),
            MissingError,
            "there is none",
        ),
        (
            hostile.answer(404, b"<html>hunter2-correct-horse</html>"),
            UnavailableError,
            "release API",
        ),
        (hostile.answer(204), UnavailableError, "status 204"),
    ],
)
def test_answers_after_a_login(
    *,
    after_login: Callable[[Behaviour], Hostile],
    behaviour: Behaviour,
    error: type[SealyardError],
    said: str,
    secrets: Path,
    bundle: CaBundle,
) -> None:
    server = after_login(behaviour)
    with pytest.raises(error, match=said) as caught:
        log_in(server.url, secrets, bundle)
    assert SECRET not in str(caught.value)
    assert [r.path for r in server.requests].count("/login") == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"rubbish", b"[]", b'{"token": "a b"}', b'{"token": "a.b.c"}', b"\xff\xfe", b"{" * 9000],
)
def test_a_login_that_answers_rubbish(
    pair: CertPair, body: bytes, secrets: Path, bundle: CaBundle
) -> None:
    with (
        Hostile(pair, hostile.answer(200, body)) as server,
        pytest.raises(UnavailableError, match="no LoginResponse"),
    ):
        log_in(server.url, secrets, bundle)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_names_secret_and_server(
    pair: CertPair, status: int, secrets: Path, bundle: CaBundle
) -> None:
    with Hostile(pair, hostile.answer(status, b"no")) as server:
        with pytest.raises(RefusedError, match="Secret login") as caught:
            log_in(server.url, secrets, bundle)
        assert server.url.removeprefix("https://") in str(caught.value)
        assert len(server.requests) == 1


def test_an_api_that_keeps_other_bytes_is_noticed(
    after_login: Callable[[Behaviour], Hostile], secrets: Path, bundle: CaBundle
) -> None:
    stored = b'{"sha256": "' + b"0" * 64 + b'", "sizeBytes": 5}'
    server = after_login(hostile.answer(200, stored))
    with (
        api_client(server.url, secrets, bundle) as client,
        pytest.raises(IntegrityError, match="other bytes"),
    ):
        client.put_manifest(RELEASE, b"bytes")
