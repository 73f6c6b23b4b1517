"""What of a run's folder is kept in a store, and what of it the next attempt fetches."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.jobs.mirror import Mirror
from sealyard.jobs.workspace import hash_file
from sealyard_trainer.checkpoints import Checkpoints
from sealyard_trainer.remote_workspace import restore
from sealyard_trainer.run_folder import RunFolder
from support.memory_store import MemoryStore

KEY = "coins/coins-1"


def folder_in(path: Path) -> RunFolder:
    path.mkdir()
    return RunFolder(path, KEY)


def save(folder: RunFolder, epoch: int, best: int) -> None:
    last = folder.path / "last.new"
    last.write_text(f"epoch {epoch}")
    folder.checkpoints().save(epoch=epoch, last=last, digest=hash_file(last), is_best=epoch == best)
    last.unlink()


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """With what a pod has left that was killed in its fourth epoch."""
    folder = folder_in(tmp_path / "first")
    for epoch, best in ((1, 1), (2, 2), (3, 2)):
        save(folder, epoch, best)
    for name in ("dataset.lock", "results.csv", "attempts.json", "LOCK", ".results.csv.1.part"):
        (folder.path / name).write_text(name)
    for name in ("tensorboard/events.1", "work-pod/weights/last.pt", "dataset/files/a.jpg"):
        (folder.path / name).parent.mkdir(parents=True)
        (folder.path / name).write_text(name)
    (folder.path / "checkpoints/.epoch-000004.pt.1.part").write_text("half")
    (folder.path / "checkpoints/epoch-000004.pt").write_text("no record vouches for it")
    store = MemoryStore()
    mirror = Mirror(store, KEY, folder.path, "first")
    mirror.take()
    mirror.push(folder.lasting)
    return store


def restored(store: MemoryStore, path: Path) -> tuple[RunFolder, set[str]]:
    folder = folder_in(path)
    mirror = Mirror(store, KEY, folder.path, "second")
    mirror.take()
    restore(mirror, folder)
    found = {one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()}
    return folder, found


OTHERS = {"attempts.json", "dataset.lock", "results.csv", "tensorboard/events.1"}


def test_the_newest_checkpoint_and_all_that_explains_it(store: MemoryStore, tmp_path: Path) -> None:
    folder, found = restored(store, tmp_path / "second")
    assert found == OTHERS | {
        "checkpoints/epoch-000003.json",
        "checkpoints/epoch-000003.pt",
        "checkpoints/epoch-000002.pt",
    }
    newest = folder.checkpoints().newest()
    assert newest is not None
    assert (newest.epoch, newest.last.read_text(), newest.best.read_text()) == (
        *(3, "epoch 3", "epoch 2"),
    )


def test_the_best_epoch_is_uploaded_and_fetched_once(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / "first")
    save(folder, 1, 1)
    store = MemoryStore()
    mirror = Mirror(store, KEY, folder.path, "first")
    mirror.take()
    mirror.push(folder.lasting)
    assert len(store.uploads) == 2, "the record, and one for both files"
    again, _ = restored(store, tmp_path / "second")
    newest = again.checkpoints().newest()
    assert newest is not None
    assert newest.last.read_text() == newest.best.read_text() == "epoch 1"


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_checkpoint_that_is_not_whole_gives_way_to_the_one_before(
    store: MemoryStore, tmp_path: Path, damage: str
) -> None:
    [torn] = [key for key in store.objects if "epoch-000003.pt." in key]
    if damage == "lost":
        del store.objects[torn]
    else:
        store.objects[torn] = b"Epoch 3"
    folder, _ = restored(store, tmp_path / "second")
    newest = folder.checkpoints().newest()
    assert newest is not None
    assert newest.epoch == 2


def test_what_is_new_is_a_milestone(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / "run")
    seen = [folder.milestone()]
    (folder.path / "dataset.lock").write_text("{}")
    seen.append(folder.milestone())
    (folder.path / "results.csv").write_text("epoch")
    assert folder.milestone() == seen[-1]
    for epoch in (1, 2):
        save(folder, epoch, epoch)
        seen.append(folder.milestone())
    assert len(set(seen)) == len(seen)


def test_an_upload_is_not_disturbed_by_the_next_checkpoints(tmp_path: Path) -> None:
    folder = folder_in(tmp_path / "run")
    store = MemoryStore()
    mirror = Mirror(store, KEY, folder.path, "first")
    mirror.take()
    save(folder, 1, 1)
    epochs = iter(range(2, 9))

    def meanwhile() -> None:
        if (epoch := next(epochs, None)) is not None:
            save(folder, epoch, epoch)

    mirror.push(folder.lasting, still_wanted=meanwhile)
    assert Checkpoints(folder.path / "checkpoints").newest()
    again, _ = restored(store, tmp_path / "second")
    newest = again.checkpoints().newest()
    assert newest is not None
    assert newest.last.read_text() == "epoch 1"
