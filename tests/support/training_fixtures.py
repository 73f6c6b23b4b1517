"""Fixtures of tests that run the real trainer and exporter, on tiles of a real photograph."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealyard.jobs.offline import work_offline
from support.coins import write_coins
from support.job_programs import Pod
from support.shared import made_once
from support.training_jobs import MakePod, Training, train


@pytest.fixture(scope="session")
def coins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset's volume, with nothing in it that may be written to."""

    def make(volume: Path) -> None:
        write_coins(volume, train=32, val=8)
        for path in (volume, *volume.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

    return made_once(tmp_path_factory, "coins-volume", make)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This process prepared for importing ultralytics, and put back afterwards."""
    folder, environment = Path.cwd(), dict(os.environ)
    work_offline(tmp_path_factory.mktemp("scratch"))
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)


@pytest.fixture
def make_pod(tmp_path: Path, coins: Path) -> MakePod:
    """A new pod, by default with the coins and a workspace that all pods of the test share."""
    made = 0

    def make(workspace: Path | None = None, **changes: Any) -> Pod:
        nonlocal made
        made += 1
        root = tmp_path / f"pod-{made}"
        root.mkdir()
        mounts = {"workspace": workspace or tmp_path / "workspace", "dataset": coins}
        return Pod(**{"root": root, "uid": f"pod-{made}", **mounts, **changes})

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, coins: Path) -> Training:
    """One whole training, with a progress endpoint, whose workspace nobody writes to."""
    return Training.load(made_once(tmp_path_factory, "trained", lambda root: train(root, coins)))
