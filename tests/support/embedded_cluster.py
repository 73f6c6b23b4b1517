"""One embedded cluster for a whole test run, and a namespace in it for each test."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from sealyard_local.build import build
from sealyard_local.cluster import Cluster, venv_images

Found = TypeVar("Found")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The run's cluster, shared by all xdist workers. The last one that leaves stops it, and it
    ends with the run's first process in any case."""
    base, run = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base, run = base.parent, os.getppid()
    folder = base / "cluster"
    with _users(base) as users:
        if users.count() == 0:
            shared = Cluster.start(folder, venv_images(), with_pid=run)
            (base / "cluster-server").write_text(shared.server)
        users.add(1)
    yield Cluster(folder, build(), (base / "cluster-server").read_text())
    with _users(base) as users:
        users.add(-1)
        if users.count() == 0:
            Cluster.stop_in(folder)


class _Users:
    """How many workers use the cluster, as a number in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def count(self) -> int:
        return int(self._file.read_text()) if self._file.exists() else 0

    def add(self, number: int) -> None:
        self._file.write_text(str(self.count() + number))


@contextmanager
def _users(base: Path) -> Iterator[_Users]:
    with (base / "cluster-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _Users(base / "cluster-users")


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, named after it; its deletion is not waited for."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"{test}-{secrets.token_hex(3)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def until(look: Callable[[], Found], *, seconds: float = 120.0, what: str = "") -> Found:
    """Looks until what it sees is true, and returns that.

    Raises:
        AssertionError: it is not, in the given time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what or look}: {found!r}")
        time.sleep(0.05)
