"""One release API, and a target there for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.delivery.release_api import ReleaseApi
from support import release_api
from support.authorised import Target


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[release_api.ReleaseApi]:
    with release_api.release_api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def target(api: release_api.ReleaseApi, tmp_path: Path) -> Iterator[Target]:
    target = Target(api, tmp_path / "target")
    yield target
    target.assert_no_secret_in(api.log_text())
    target.forget_index()


@pytest.fixture
def client(target: Target) -> Iterator[ReleaseApi]:
    with target.connected() as opened:
        yield opened
