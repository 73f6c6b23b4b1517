"""Checkpoints: the newest whole one, whatever the end of the writer left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.jobs.workspace import hash_file
from sealyard_trainer.checkpoints import Checkpoints, newest_epoch


class Writer:
    """Saves epochs as the trainer does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"
        self.last = folder / "last.pt"
        self.checkpoints = Checkpoints(self.folder)

    def save(self, epoch: int, *, better: bool) -> None:
        self.last.unlink(missing_ok=True)
        self.last.write_text(f"epoch {epoch}")
        self.checkpoints.save(
            epoch=epoch, last=self.last, digest=hash_file(self.last), is_best=better
        )

    def newest(self) -> tuple[int, str, str] | None:
        """As another process finds it."""
        found = Checkpoints(self.folder).newest()
        return found and (found.epoch, found.last.read_text(), found.best.read_text())


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def test_without_any_there_is_none(writer: Writer) -> None:
    assert writer.newest() is None


def test_the_best_stays_with_those_that_are_not_better(writer: Writer) -> None:
    writer.save(1, better=True)
    for epoch in (2, 3, 4):
        writer.save(epoch, better=False)
    assert writer.newest() == (4, "epoch 4", "epoch 1")


def test_how_far_it_was_is_known_without_reading_it(writer: Writer) -> None:
    assert newest_epoch(writer.folder) == 0
    for epoch in (1, 2):
        writer.save(epoch, better=True)
    (writer.folder / "epoch-000002.pt").write_bytes(b"torn")
    assert newest_epoch(writer.folder) == 2


def test_two_are_kept_with_their_best_and_nothing_else(writer: Writer) -> None:
    for epoch in (1, 2, 3, 4):
        writer.save(epoch, better=epoch == 2)
    names = ("epoch-000003.json", "epoch-000003.pt", "epoch-000004.json", "epoch-000004.pt")
    assert {path.name for path in writer.folder.iterdir()} == {"epoch-000002.pt", *names}
    writer.save(5, better=True)
    assert not (writer.folder / "epoch-000003.pt").exists()
    assert writer.newest() == (5, "epoch 5", "epoch 5")


def truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def flip(folder: Path) -> None:
    path = folder / "epoch-000003.pt"
    path.write_bytes(b"E" + path.read_bytes()[1:])


@pytest.mark.parametrize(
    "damage",
    [
        truncate("epoch-000003.pt"),
        truncate("epoch-000003.json"),
        flip,
        lambda folder: (folder / "epoch-000003.pt").unlink(),
        lambda folder: (folder / "epoch-000003.json").unlink(),
    ],
)
def test_a_torn_one_gives_way_to_the_one_before(
    writer: Writer, damage: Callable[[Path], object]
) -> None:
    writer.save(1, better=True)
    writer.save(2, better=False)
    writer.save(3, better=True)
    damage(writer.folder)
    assert writer.newest() == (2, "epoch 2", "epoch 1")


def test_what_is_torn_is_nobodys_best(writer: Writer) -> None:
    writer.save(1, better=True)
    writer.save(2, better=True)
    truncate("epoch-000002.pt")(writer.folder)
    assert writer.newest() == (1, "epoch 1", "epoch 1")
    again = Writer(writer.folder.parent)
    again.save(2, better=False)
    assert again.newest() == (2, "epoch 2", "epoch 1")


def test_with_both_torn_training_begins_anew(writer: Writer) -> None:
    writer.save(1, better=True)
    writer.save(2, better=True)
    for name in ("epoch-000001.pt", "epoch-000002.pt"):
        truncate(name)(writer.folder)
    assert writer.newest() is None


def test_a_writer_killed_before_its_record_changes_nothing(writer: Writer) -> None:
    writer.save(1, better=True)
    (writer.folder / "epoch-000002.pt").write_text("of 2")
    (writer.folder / ".epoch-000002.json.0123456789ab.part").write_text("{")
    assert writer.newest() == (1, "epoch 1", "epoch 1")
    writer.save(2, better=True)
    assert writer.newest() == (2, "epoch 2", "epoch 2")
    assert not list(writer.folder.glob(".*"))


def test_clearing_forgets_all(writer: Writer) -> None:
    writer.save(1, better=True)
    writer.checkpoints.clear()
    assert writer.newest() is None
    assert not list(writer.folder.iterdir())
