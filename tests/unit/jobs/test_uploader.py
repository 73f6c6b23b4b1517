"""Uploads beside the work: the newest alone, whatever the store does, and all of it at the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealyard.errors import InvalidError, UnavailableError
from sealyard.jobs import uploader
from sealyard.jobs.lock import LOCK_FILE, Superseded, WorkspaceLock
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.process import Interrupted
from sealyard.jobs.uploader import Uploader
from support.memory_store import MemoryStore

FILE = "state"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploader, "POLL_SECONDS", 0.005)
    monkeypatch.setattr(uploader, "LONGEST_PAUSE_SECONDS", 0.01)


class Work:
    """What a training is to the uploader: a file that is replaced."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.folder = folder
        self.lock = WorkspaceLock(folder, "mine")
        self.lock.take()
        self.mirror = Mirror(self.store, "run", folder, "mine")
        self.mirror.take()

    def uploads(self, **changes: Any) -> Uploader:
        path = self.folder / FILE
        arguments: dict[str, Any] = {
            "select": lambda: [FILE] if path.exists() else [],
            "marker": lambda: path.read_text() if path.exists() else "",
            "copy": self.folder,
            "patience": 30.0,
            "flush": 30.0,
        }
        return Uploader(self.mirror, **{**arguments, **changes})

    def lasts(self, **changes: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
        """Decorates what happens while it uploads."""

        def decorate(life: Callable[[], None]) -> Callable[[], None]:
            def whole() -> None:
                with self.uploads(**changes):
                    life()

            return whole

        return decorate

    def write(self, text: str) -> None:
        (self.folder / ".new").write_text(text)
        (self.folder / ".new").replace(self.folder / FILE)

    def kept(self) -> str | None:
        """What whoever comes next would find."""
        index = json.loads(self.store.objects["run/index.json"])
        if FILE not in index["files"]:
            return None
        return self.store.objects[f"run/files/{index['files'][FILE]['object']}"].decode()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_each_step_is_there_soon_and_the_last_one_for_certain(work: Work) -> None:
    with work.uploads():
        for text in ("epoch 1", "epoch 2"):
            work.write(text)
            eventually(lambda text=text: work.kept() == text)  # type: ignore[misc]
        work.write("done")
    assert work.kept() == "done"
    assert len(work.store.objects) == 2, "what was replaced is deleted"


def test_what_was_overtaken_is_passed_over_and_nobody_waits(work: Work) -> None:
    work.store.held = threading.Event()
    with work.uploads():
        work.write("epoch 1")
        assert work.store.uploading.wait(60)
        for number in range(2, 9):
            work.write(f"epoch {number}")
        work.store.held.set()
        eventually(lambda: work.kept() == "epoch 8")
    assert len(work.store.uploads) == 2, "the one that was under way, and the newest"


def test_an_interruption_gives_up_what_was_overtaken_for_the_newest(work: Work) -> None:
    held = work.store.held = threading.Event()

    @work.lasts()
    def life() -> None:
        work.write("epoch 1")
        assert work.store.uploading.wait(60)
        work.write("epoch 2")
        threading.Timer(0.2, held.set).start()
        raise Interrupted("SIGTERM")

    with pytest.raises(Interrupted, match=r"^SIGTERM$"):
        life()
    assert work.kept() == "epoch 2"
    assert len(work.store.uploads) == 1


def test_the_work_goes_on_while_the_store_is_away(work: Work) -> None:
    with work.uploads():
        work.write("epoch 1")
        eventually(lambda: work.kept() == "epoch 1")
        work.store.away = True
        work.write("epoch 2")
        work.write("epoch 3")
        work.store.away = False
        eventually(lambda: work.kept() == "epoch 3")
    assert work.kept() == "epoch 3"


def test_work_is_not_done_before_everything_is_there(work: Work) -> None:
    @work.lasts(patience=0.1)
    def life() -> None:
        work.store.away = True
        work.write("done")

    with pytest.raises(UnavailableError, match="store in memory is away"):
        life()
    assert work.kept() is None


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            Interrupted("SIGTERM"),
            "SIGTERM; but the newest of it is not in the workspace: store in memory is away",
        ),
        (InvalidError("no such field"), "no such field"),
    ],
)
def test_who_is_interrupted_says_what_is_not_there(
    work: Work, raised: BaseException, message: str
) -> None:
    @work.lasts(flush=0.1)
    def life() -> None:
        work.write("epoch 1")
        eventually(lambda: work.kept() == "epoch 1")
        work.store.away = True
        work.write("epoch 2")
        raise raised

    with pytest.raises(type(raised)) as caught:
        life()
    assert str(caught.value) == message
    assert work.kept() == "epoch 1"


def test_a_request_that_hangs_does_not_keep_the_pod(work: Work) -> None:
    held = work.store.held = threading.Event()

    @work.lasts(flush=0.1)
    def life() -> None:
        work.write("epoch 1")
        assert work.store.uploading.wait(60)
        raise Interrupted("SIGTERM")

    try:
        with pytest.raises(Interrupted, match=r"run in the store in memory took longer than 0 s$"):
            life()
    finally:
        held.set()


def test_a_pod_that_was_superseded_finds_out_where_it_looks(work: Work, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    theirs = Mirror(work.store, "run", other, "theirs")

    @work.lasts()
    def life() -> None:
        work.write("epoch 1")
        eventually(lambda: work.kept() == "epoch 1")
        theirs.take()
        work.write("epoch 2")
        eventually(lambda: (work.folder / LOCK_FILE).read_text() == "theirs")
        work.lock.check()

    with pytest.raises(Superseded, match="superseded by pod theirs"):
        life()
    assert work.kept() == "epoch 1"
    theirs.fetch(theirs.files)
    assert (other / FILE).read_text() == "epoch 1"


def test_an_index_whose_answer_was_lost_is_known_again(work: Work) -> None:
    work.store.loses_answers = 1
    with work.uploads():
        work.write("epoch 1")
        eventually(lambda: work.kept() == "epoch 1")
        work.write("epoch 2")
    assert work.kept() == "epoch 2"
    assert work.store.loses_answers == 0
