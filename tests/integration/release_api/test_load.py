"""Many who read and many who write at once, and then the process is killed.

`make load-api` runs the same for longer (`LOAD_SECONDS`), and says how fast it was.
"""

from __future__ import annotations

import http.client
import itertools
import logging
import os
import ssl
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sealyard.api.release_api import small_path
from sealyard_release_api.database import Database
from support.release_api import (
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
logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request
SECONDS = float(os.environ.get("SEALYARD_LOAD_SECONDS", "2"))
READERS = WRITERS = 16
FIRST = "first"
OCTETS = {"Content-Type": "application/octet-stream"}


@dataclass
class Load:
    """What was asked for and answered.

    Attributes:
        reads: the seconds that each took.
        writes: the same of what was acknowledged.
        acknowledged: the variants that were written.
    """

    api: ReleaseApi
    tls: ssl.SSLContext
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)

    def read(self, token: str) -> None:
        """Ask for one small part over and over."""
        path = small_path("coins", "1.0.0", FIRST)

        def once(connection: http.client.HTTPSConnection, _: int) -> None:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, content(FIRST))

        self._repeat(once, self.reads)

    def write(self, token: str, worker: int) -> None:
        """Put one small part after the other."""

        def once(connection: http.client.HTTPSConnection, number: int) -> None:
            name = f"w{worker}-{number}"
            headers = {"Authorization": f"Bearer {token}", **OCTETS}
            connection.request("PUT", small_path("coins", "1.0.0", name), content(name), headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
            self.acknowledged.append(name)

        self._repeat(once, self.writes)

    def _repeat(
        self, once: Callable[[http.client.HTTPSConnection, int], None], took: list[float]
    ) -> None:
        with closing(
            http.client.HTTPSConnection("127.0.0.1", self.api.port, timeout=60, context=self.tls)
        ) as connection:
            for number in itertools.count(1):
                begun = time.perf_counter()
                try:
                    once(connection, number)
                except (http.client.HTTPException, OSError):
                    # Only a server that was killed may hang up.
                    assert self.ends.is_set()
                    return
                took.append(time.perf_counter() - begun)


def content(name: str) -> bytes:
    return name.encode() * 80


def figures(took: list[float], seconds: float) -> str:
    p99 = statistics.quantiles(took, n=100)[98] * 1000
    median = statistics.median(took) * 1000
    return f"{len(took) / seconds:.0f} a second, p50 {median:.1f} ms, p99 {p99:.1f} ms"


def test_what_was_acknowledged_survives_kill(tmp_path: Path, database: Database) -> None:
    with release_api_server(tmp_path, arguments=database_flags(database)) as api:
        with connect(api) as client:
            publisher, verifier = log_in(client, PUBLISHER), log_in(client, VERIFIER)
            headers = {"Authorization": f"Bearer {publisher}", **OCTETS}
            path = small_path("coins", "1.0.0", FIRST)
            assert client.put(path, content=content(FIRST), headers=headers).status_code == 201
        load = Load(api, api.ssl_context())
        begun = time.monotonic()
        with ThreadPoolExecutor(READERS + WRITERS) as pool:
            workers = [
                *(pool.submit(load.read, verifier) for _ in range(READERS)),
                *(pool.submit(load.write, publisher, worker) for worker in range(WRITERS)),
            ]
            while not (
                time.monotonic() - begun > SECONDS
                and len(load.acknowledged) >= 100
                and len(load.reads) >= 100
            ):
                assert not any(worker.done() for worker in workers)
                assert time.monotonic() - begun < SECONDS + 120
                time.sleep(0.05)
            load.ends.set()
            seconds = time.monotonic() - begun
            api.kill()
            for worker in workers:
                worker.result()
        api.start()
        with connect(api, VERIFIER) as client:
            lost = [
                name
                for name in load.acknowledged
                if client.get(small_path("coins", "1.0.0", name)).content != content(name)
            ]
        LOG.info(
            "%s: %s readers: %s; %s writers: %s; of %s acknowledged writes %s are lost",
            *(type(database).__name__, READERS, figures(load.reads, seconds)),
            *(WRITERS, figures(load.writes, seconds), len(load.acknowledged), len(lost)),
        )
        assert lost == []
