"""Connections that end in the middle: what comes in between is tried again."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from sealyard.delivery.http import Bounds, HttpClient
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.tls import CaBundle
from sealyard_local.pki import PrivateCA
from support import hostile
from support.hostile import Hostile

BOUNDS = Bounds(1000, 60.0)
RETRY = Retry(first_pause_seconds=0.01)


@pytest.fixture(scope="module")
def ca() -> PrivateCA:
    return PrivateCA.create()


@pytest.fixture
def bundle(ca: PrivateCA, tmp_path: Path) -> CaBundle:
    (tmp_path / "ca.crt").write_bytes(ca.ca_pem)
    return CaBundle(tmp_path / "ca.crt", "ConfigMap stores-ca, key ca.crt,")


def test_a_server_that_goes_away_in_the_handshake_is_no_stranger(bundle: CaBundle) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with (
            HttpClient("CDN", url, bundle=bundle) as client,
            # Either, by when it notices: what counts is that it is tried again.
            pytest.raises(TransientError, match=r"the connection broke|cannot be reached"),
        ):
            client.send("GET", "/", bounds=BOUNDS)
        thread.join()


def test_a_name_that_nobody_has_is_said(bundle: CaBundle) -> None:
    with (
        HttpClient("CDN", "https://nobody.invalid", bundle=bundle) as client,
        pytest.raises(TransientError, match=r"cannot be reached \(.+\)"),
    ):
        client.send("GET", "/", bounds=BOUNDS)


def test_a_connection_that_was_closed_is_not_used_again(ca: PrivateCA, bundle: CaBundle) -> None:
    """The server answers once on each connection, and closes it without having said so."""
    answer = hostile.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with (
        Hostile(ca.issue(ips=["127.0.0.1"]), answer) as server,
        HttpClient("CDN", server.url, bundle=bundle) as client,
    ):
        for _ in range(3):
            # It may close it just when the next request is on its way.
            reply = RETRY.call(lambda: client.send("GET", "/", bounds=BOUNDS))
            assert reply.body == b"ok"
        assert len(server.requests) == 3
