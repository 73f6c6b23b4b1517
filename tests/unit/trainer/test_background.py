"""Work beside the training: one after the other, and no failure that nobody hears of."""

from __future__ import annotations

import threading

import pytest

from sealyard.jobs.lock import Superseded
from sealyard_trainer.background import Background


def fail() -> None:
    raise OSError("the disk is full")


def test_one_is_done_before_the_next_begins() -> None:
    done: list[int] = []
    first, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        first.set()
        assert go_on.wait(60)
        done.append(1)

    with Background() as background:
        background.start(slow)
        assert first.wait(60)
        background.check()
        assert done == []
        go_on.set()
        background.start(lambda: done.append(2))
    assert done == [1, 2]


def test_a_failure_is_told_once_and_instead_of_the_next() -> None:
    done: list[int] = []
    with Background() as background:
        background.start(fail)
        with pytest.raises(OSError, match="full"):
            background.start(lambda: done.append(1))
        background.wait()
        background.start(lambda: done.append(2))
    assert done == [2]


def test_a_newer_pod_is_told_as_in_the_thread_that_trains() -> None:
    def superseded() -> None:
        raise Superseded("pod-2")

    with pytest.raises(Superseded, match="pod-2"), Background() as background:
        background.start(superseded)


def test_an_interruption_waits_for_the_work_and_stays_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupted() -> None:
        with Background() as background:
            background.start(fail)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "beside that: the disk is full" in caplog.text
