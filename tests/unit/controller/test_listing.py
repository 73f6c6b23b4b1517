from __future__ import annotations

import asyncio

import pytest

from sealyard.controller import listing
from sealyard.controller.caches import Caches
from sealyard.controller.listing import Lister
from sealyard.controller.resources import JOBS, Key
from support.controller import RUN, FakeApi
from support.raw_objects import raw_job, raw_profile, raw_run

SECOND = Key("TrainingRun", "ns", "second")


class Shell:
    """A lister over a fake API server that gives one object per chunk."""

    def __init__(self, *namespaces: str) -> None:
        self.api = FakeApi(raw_run(), raw_run("second", "run-2"))
        self.caches = Caches()
        self.concerns: set[Key] = set()
        self.lister = Lister(self.api, self.caches, namespaces, self.concerns.update)


async def test_the_first_listing_takes_in_every_chunk() -> None:
    shell = Shell()
    await shell.api.create_job(JOBS, raw_job())
    await shell.lister.fill()
    assert sorted(shell.caches.keys()) == [RUN, SECOND]
    assert len(shell.caches.jobs_of("run-1")) == 1
    assert shell.concerns == {RUN, SECOND}


async def test_only_the_named_namespaces_are_listed() -> None:
    shell = Shell("elsewhere")
    await shell.lister.fill()
    assert len(shell.caches) == 0


async def test_what_has_no_namespace_is_listed_and_swept_with_any() -> None:
    shell = Shell("elsewhere")
    profile = Key("ComputeProfile", "", "gpu")
    shell.api.objects[profile] = raw_profile()
    await shell.lister.fill()
    assert shell.caches.object(profile) is not None
    assert (shell.caches.keys(), shell.concerns) == ([], set()), "nothing works on a profile"
    del shell.api.objects[profile]
    await shell.lister.sweep()
    assert shell.caches.object(profile) is None


async def test_the_first_listing_goes_on_until_the_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "RETRY_SECONDS", 0.001)
    shell = Shell()
    shell.api.fail("list", 404, 0, 403)
    await asyncio.wait_for(shell.lister.fill(), 5)
    assert sorted(shell.caches.keys()) == [RUN, SECOND]


async def test_an_object_that_does_not_fit_its_kind_is_named_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shell = Shell()
    shell.api.objects[RUN]["spec"] = {"dataset": {"s3": {"uri": "s3://x"}}}
    await shell.lister.fill()
    assert shell.caches.keys() == [SECOND]
    assert shell.concerns == {SECOND}
    [record] = caplog.records
    assert record.message.startswith("the TrainingRun ns/run does not fit its kind")


async def test_a_sweep_forgets_what_vanished_unseen_and_nothing_else() -> None:
    shell = Shell()
    await shell.lister.fill()
    del shell.api.objects[RUN]
    shell.concerns.clear()
    await shell.lister.sweep()
    assert shell.caches.keys() == [SECOND]
    assert shell.concerns == {RUN}


async def test_a_sweep_that_fails_forgets_nothing() -> None:
    shell = Shell()
    await shell.lister.fill()
    shell.api.objects.clear()
    shell.api.fail("list", *[500] * 6)
    await shell.lister.sweep()
    assert sorted(shell.caches.keys()) == [RUN, SECOND]
