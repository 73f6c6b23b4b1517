"""What the server bounds: guesses, requests, connections, slow peers, and its own end."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from sealyard.api.release_api import small_path
from support.release_api import (
    PASSWORD,
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    encrypted,
    log_in,
    raw_request,
    release_api_server,
)

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}


@contextmanager
def upload_in_progress(api: ReleaseApi, client: httpx.Client) -> Iterator[Callable[[], int]]:
    """Half a body is sent; the function sends the other half and gives the status."""
    begun, go_on = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        yield bytes(160)
        begun.set()
        assert go_on.wait(60)
        yield bytes(160)

    with ThreadPoolExecutor(1) as pool:
        path = small_path("coins", "1.0.0", "v")
        put = pool.submit(client.put, path, content=body(), headers=OCTETS)

        def finish() -> int:
            go_on.set()
            return put.result(60).status_code

        try:
            assert begun.wait(60)
            yield finish
        finally:
            go_on.set()


def test_a_request_that_runs_is_answered_before_the_end(tmp_path: Path) -> None:
    with (
        release_api_server(tmp_path) as api,
        connect(api, PUBLISHER) as client,
        ThreadPoolExecutor(1) as pool,
        upload_in_progress(api, client) as finish,
    ):
        exit_code = pool.submit(api.stop)
        deadline = time.monotonic() + 60
        with suppress(ConnectionRefusedError):
            while time.monotonic() < deadline:  # it still listens
                socket.create_connection(("127.0.0.1", api.port), timeout=60).close()
        assert finish() == 201
        assert exit_code.result(60) == 0
        assert api.log_lines()[-1]["message"] == "stopped"


def test_too_many_requests_at_a_time(tmp_path: Path) -> None:
    with (
        release_api_server(tmp_path, arguments=["--max-requests=1"]) as api,
        connect(api, PUBLISHER) as client,
        connect(api) as other,
        upload_in_progress(api, client) as finish,
    ):
        busy = other.get("/releases")
        assert (busy.status_code, busy.json()["error"]) == (503, "Unavailable")
        assert busy.headers["retry-after"] == "1"
        assert other.get("/healthz").status_code == 200
        assert finish() == 201
        assert other.get("/releases").status_code == 401


def test_a_request_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    arguments = ["--grace-seconds=1", "--peer-seconds=600"]
    with (
        release_api_server(tmp_path, arguments=arguments) as api,
        connect(api, PUBLISHER) as client,
        upload_in_progress(api, client) as finish,
    ):
        assert api.stop() == 0
        assert api.log_lines()[-1]["message"] == "stopped"
        assert finish() == 503
        cut_off = next(line for line in api.log_lines() if line.get("event") == "put-small")
        assert (cut_off["status"], cut_off["reason"]) == (503, "Unavailable")


def test_too_many_connections_are_hung_up_on(tmp_path: Path) -> None:
    with (
        release_api_server(tmp_path, arguments=["--max-connections=3"]) as api,
        ExitStack() as stack,
    ):
        held = [stack.enter_context(connect(api)) for _ in range(3)]
        assert [client.get("/healthz").status_code for client in held] == [200] * 3
        with connect(api) as more, pytest.raises(httpx.TransportError):
            more.get("/healthz")
        held[0].close()
        deadline = time.monotonic() + 60
        with connect(api) as more:
            while time.monotonic() < deadline:  # until the server has seen the end of the first
                with suppress(httpx.TransportError):
                    assert more.get("/healthz").status_code == 200
                    return
        pytest.fail("a connection that ended still counts")


def test_brute_force_is_stopped(tmp_path: Path) -> None:
    arguments = ["--account-attempts=5", "--address-attempts=8", "--attempt-window-seconds=3600"]
    with release_api_server(tmp_path, arguments=arguments) as api, connect(api) as client:

        def attempt(email: str, password: str) -> httpx.Response:
            return client.post("/login", json={"email": email, "password": password})

        for _ in range(20):
            assert attempt(VERIFIER, PASSWORD).status_code == 200
        wrong = [attempt(VERIFIER, f"wrong password {n}") for n in range(7)]
        assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2
        assert 0 < int(wrong[-1].headers["retry-after"]) <= 720
        assert wrong[-1].json()["error"] == "TooManyRequests"
        assert attempt(VERIFIER.upper(), PASSWORD).status_code == 429
        assert attempt(PUBLISHER, PASSWORD).status_code == 200
        others = [attempt(f"n{n}@example.org", PASSWORD).status_code for n in range(5)]
        assert others == [401] * 3 + [429] * 2
        assert attempt(PUBLISHER, PASSWORD).status_code == 429


def test_guesses_sent_at_once_are_counted_before_they_are_tried(tmp_path: Path) -> None:
    arguments = ["--account-attempts=5", "--attempt-window-seconds=3600"]
    with release_api_server(tmp_path, arguments=arguments) as api:
        barrier = threading.Barrier(16)

        def guess(_: int) -> int:
            with connect(api) as client:
                client.get("/healthz")
                barrier.wait(60)
                body = {"email": VERIFIER, "password": "wrong password"}
                return client.post("/login", json=body).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(guess, range(16)))
    assert sorted(statuses) == [401] * 5 + [429] * 11


def test_logins_that_would_wait_too_long_are_turned_away(tmp_path: Path) -> None:
    arguments = ["--login-threads=1", "--login-queue=1"]
    with release_api_server(tmp_path, arguments=arguments) as api:
        barrier = threading.Barrier(16)

        def login(_: int) -> httpx.Response:
            with connect(api) as client:
                client.get("/healthz")
                barrier.wait(60)
                return client.post("/login", json={"email": VERIFIER, "password": PASSWORD})

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(login, range(16)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert any(answer.status_code == 200 for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "1"


def test_who_is_slow_is_not_waited_for(tmp_path: Path) -> None:
    with release_api_server(tmp_path, arguments=["--peer-seconds=1"]) as api:
        with connect(api) as client:
            token = log_in(client, PUBLISHER)
        head = (
            f"PUT {small_path('coins', '1.0.0', 'v')} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n"
            "Content-Length: 320\r\n\r\n"
        )
        status, body = raw_request(api, head + "only this")
        assert status == 408
        assert b'"TooSlow"' in body
        for said in ("", "GET /heal", head[:-2]):
            with encrypted(api) as connection:
                connection.sendall(said.encode())
                with suppress(ssl.SSLEOFError, ConnectionResetError):
                    assert connection.recv(1) == b""


def test_a_body_that_is_no_http_is_answered_once(tmp_path: Path) -> None:
    """The route answers too: it was called before the parser came to the body."""
    chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"
    with release_api_server(tmp_path) as api:
        for line in ("PUT /nowhere HTTP/1.1", "POST /login HTTP/1.1", "GET /healthz HTTP/1.1"):
            status, body = raw_request(api, f"{line}\r\n{chunked}")
            assert (status, b'"InvalidRequest"' in body) == (400, True)
        status, body = raw_request(api, f"HEAD /healthz HTTP/1.1\r\n{chunked}")
        assert (status, body) == (400, b"")
        assert [line for line in api.log_lines() if line["level"] == "error"] == []
