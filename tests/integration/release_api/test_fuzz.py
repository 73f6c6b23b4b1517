"""Requests that nobody thought of: none may be the server's fault.

`make fuzz-api` runs the same for longer (`FUZZ_SECONDS`), and says how many there were.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard_release_api.openapi import OPERATIONS, document
from support.devices import Device, log_in_as, register
from support.hostile_requests import raw_request
from support.postgres import PostgresServer
from support.release_api import (
    ADMIN,
    PUBLISHER,
    VERIFIER,
    ReleaseApi,
    connect,
    database_flags,
    log_in,
    release_api_server,
)

pytestmark = [pytest.mark.stores, pytest.mark.timeout(7200)]

LOG = logging.getLogger(__name__)
# For each role, and for the raw requests.
SECONDS = float(os.environ.get("SEALYARD_FUZZ_SECONDS", "8"))
SEED = int(os.environ.get("SEALYARD_FUZZ_SEED", "1"))
CONNECTIONS = 16
DEVICE = Device()
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def fuzzed(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[ReleaseApi]:
    """A server on the database that is pickier about text."""
    folder = tmp_path_factory.mktemp("fuzz")
    arguments = [
        *database_flags(postgres.database(folder / "database").ours),
        "--peer-seconds=1",
        "--account-attempts=10000",
        "--address-attempts=100000",
    ]
    with release_api_server(folder, arguments=arguments) as api:
        yield api
        faults = [line for line in api.log_lines() if line["level"] == "error"]
        assert not faults, json.dumps(faults[:3], indent=1)


def token_of(api: ReleaseApi, who: str) -> str:
    if who != DEVICE.id:
        with connect(api) as client:
            return log_in(client, who)
    with connect(api, PUBLISHER) as client:
        register(client, DEVICE, "coins")
        token: str = log_in_as(client, DEVICE).json()["token"]
        return token


@pytest.mark.parametrize(
    "who", [None, PUBLISHER, VERIFIER, ADMIN, pytest.param(DEVICE.id, id="device")]
)
def test_requests_made_of_the_contract(fuzzed: ReleaseApi, tmp_path: Path, who: str | None) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(document("0")))
    arguments = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(tmp_path / "openapi.json")),
        *("--url", fuzzed.url, "--tls-verify", str(fuzzed.ca_path), "--no-color"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--max-time", str(int(SECONDS)), "--max-examples", "10000"),
        *("--seed", str(SEED), "--generation-database", "none", "--request-timeout", "60"),
        *("--suppress-health-check", "all", "--continue-on-failure"),
    ]
    if who is not None:
        token = token_of(fuzzed, who)
        arguments += ["--header", f"Authorization: Bearer {token}"]
    done = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, timeout=3600, check=False
    )
    cases = re.search(r"\d+ generated.*", done.stdout)
    LOG.info("as %s: %s", who or "nobody", cases[0] if cases else "nothing was generated")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_raw_requests(fuzzed: ReleaseApi) -> None:
    tokens = [token_of(fuzzed, who) for who in (PUBLISHER, VERIFIER, ADMIN, DEVICE.id)]
    chance = random.Random(SEED)  # noqa: S311 - to be repeated, not to be secret
    deadline = time.monotonic() + SECONDS
    sent, statuses = asyncio.run(_storm(fuzzed, tokens, chance, deadline))
    LOG.info("%s raw requests: %s", sent, dict(sorted(statuses.items())))
    assert sent > 0
    assert not [status for status in statuses if status >= 500]
    with connect(fuzzed, VERIFIER) as client:
        assert client.get("/releases").status_code == 200


async def _storm(
    api: ReleaseApi, tokens: list[str], chance: random.Random, deadline: float
) -> tuple[int, dict[int, int]]:
    """How many were sent, and how often each status came back (0: hung up on)."""
    statuses: dict[int, int] = {}
    sent = 0

    async def send() -> None:
        nonlocal sent
        context = api.ssl_context()
        while time.monotonic() < deadline:
            request = raw_request(chance, [operation.path for operation in OPERATIONS], tokens)
            sent += 1
            status = await _answer(api.port, context, request)
            statuses[status] = statuses.get(status, 0) + 1

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return sent, statuses


async def _answer(port: int, context: ssl.SSLContext, request: bytes) -> int:
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
    except ConnectionError:
        return 0
    received = b""
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            while data := await reader.read(65536):
                received += data
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.transport.abort()
    return int(received.split(b" ")[1]) if received.startswith(b"HTTP/") else 0
