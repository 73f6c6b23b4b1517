from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.client import Configuration as ClientConfiguration

from sealyard.controller.configuration import load_configuration
from sealyard.controller.runtime import Operator, _on_a_stopped_loop
from support.controller import FakeApi
from support.raw_objects import raw_run


async def test_nothing_grows_old_in_the_queue_before_the_first_listing_is_complete(
    tmp_path: Path,
) -> None:
    """Else the kubelet would kill an operator that waits for a role, again and again."""
    images = {"trainer": "t:1", "exporter": "e:1", "courier": "c:1", "router": "r:1"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"images": images}))
    configuration = load_configuration(str(tmp_path / "config.yaml"))
    operator = Operator(configuration, ClientConfiguration(), FakeApi(raw_run()))
    await operator._lister.fill()
    assert (len(operator._caches), len(operator._queue)) == (1, 0)
    operator._begin()
    assert len(operator._queue) == 1
    operator._stopping.cancel()


@asynccontextmanager
async def _block() -> AsyncIterator[None]:
    try:
        yield
    finally:
        await asyncio.sleep(0)


async def _watch() -> AsyncIterator[int]:
    async with _block():
        yield 1


@pytest.mark.parametrize(("handled", "said"), [(False, 1), (True, 0)])
def test_what_kopf_leaves_open_is_no_error_at_the_end(
    handled: bool, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept = []

    async def work() -> None:
        watch = _watch()
        kept.append(watch)
        await anext(watch)
        if handled:
            asyncio.get_running_loop().set_exception_handler(_on_a_stopped_loop)

    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(work())
    assert len(caplog.records) == said


def test_every_other_error_of_a_stopped_loop_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with asyncio.Runner() as runner:
        _on_a_stopped_loop(runner.get_loop(), {"message": "a task was lost"})
    assert "a task was lost" in caplog.text
