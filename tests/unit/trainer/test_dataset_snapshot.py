"""A dataset that is made of what a route has filed, in a folder as a claim has it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sealyard.annotations.journal import Record
from sealyard.annotations.layout import image_key
from sealyard.annotations.split import is_validation
from sealyard.api.tasks import RouteSnapshot, TrainTask
from sealyard.delivery.annotation_journal import Journal
from sealyard.errors import IntegrityError, InvalidError, MissingError, SealyardError
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_snapshot import Lineage, SnapshotDataset, make_dataset
from sealyard_trainer.room import Room
from sealyard_trainer.snapshot_pictures import SnapshotPictures
from support.filed_annotations import Filed, a_picture, a_record
from support.training_jobs import train_task

PERCENT = 30
IDS = [f"item-{number}" for number in range(12)]
VALIDATION = [name for name in IDS if is_validation(name, None, PERCENT)]
TRAIN = [name for name in IDS if name not in VALIDATION]


def a_route() -> Filed:
    """With twelve validated items, in two entries."""
    storage = Filed()
    records = [validated(storage, number, name) for number, name in enumerate(IDS)]
    storage.file(*records[:5])
    storage.checkpoint()
    storage.file(*records[5:])
    return storage


def validated(storage: Filed, offset: int, item: str, **more: Any) -> Record:
    picture = storage.picture(a_picture(IDS.index(item)))
    return a_record(offset, item, **({"picture": picture, "has_bytes": True} | more))


def a_task(offset: int = 12, percent: int = PERCENT) -> TrainTask:
    snapshot = RouteSnapshot(route="coins", offset=offset, validation_percent=percent)
    return train_task(task_version=6, dataset_path="filed", snapshot=snapshot)


def make(storage: Filed, root: Path, task: TrainTask | None = None, **more: Any) -> SnapshotDataset:
    """As a pod does that mounts the claim."""
    storage.write(root / "claim/filed")
    task = task or a_task()
    assert task.snapshot is not None
    mounts = Mounts(dataset=root / "claim")
    return make_dataset(task, task.snapshot, mounts, root / "run/dataset", **more)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def test_it_is_a_dataset(tmp_path: Path) -> None:
    made = make(a_route(), tmp_path)
    assert files(made.root) == {
        "data.yaml",
        *(f"images/train/{name}.png" for name in TRAIN),
        *(f"labels/train/{name}.txt" for name in TRAIN),
        *(f"images/val/{name}.png" for name in VALIDATION),
        *(f"labels/val/{name}.txt" for name in VALIDATION),
    }
    dataset = read_dataset(made.root)
    assert dataset.names == ("coin",)
    assert inspect(dataset).boxes == {"train": len(TRAIN), "val": len(VALIDATION)}
    assert [(one.id, one.split) for one in made.used] == [
        (name, "val" if name in VALIDATION else "train") for name in sorted(IDS)
    ]


def test_it_is_the_same_wherever_its_pictures_lie_by_then(tmp_path: Path) -> None:
    """Edited, brought back to seed, deleted, and given another picture, all after the offset."""
    storage = a_route()
    first = make(storage, tmp_path / "first")
    other = storage.picture(a_picture(99))
    storage.file(
        validated(storage, 12, IDS[0], boxes=[]),
        validated(storage, 13, IDS[1], verdict="seed"),
        a_record(14, IDS[2], "deleted"),
        a_record(15, IDS[3], picture=other, has_bytes=True),
    )
    storage.checkpoint()
    then = make(storage, tmp_path / "then")
    assert inspect(read_dataset(then.root)).digest == inspect(read_dataset(first.root)).digest
    assert Lineage.of(then.used) == Lineage.of(first.used)
    later = make(storage, tmp_path / "later", a_task(offset=16))
    assert {one.id for one in later.used} == {*IDS} - {IDS[1], IDS[2]}


def test_what_is_there_is_gone_on_with(tmp_path: Path) -> None:
    storage = a_route()
    made = make(storage, tmp_path)
    whole, torn, lost = (made.root / f"images/train/{name}.png" for name in TRAIN[:3])
    was = whole.stat().st_ino
    torn.write_bytes(torn.read_bytes()[:-1])
    lost.unlink()
    (made.root / "images/train/alien.png").write_bytes(b"of an earlier run")
    (made.root / "labels/alien").symlink_to("/etc")
    again = make(storage, tmp_path)
    assert whole.stat().st_ino == was
    assert len(files(again.root)) == 1 + 2 * len(IDS)
    inspect(read_dataset(again.root))


def test_an_export_gets_what_the_run_was_validated_on(tmp_path: Path) -> None:
    whole = inspect(read_dataset(make(a_route(), tmp_path / "run").root))
    part = make(a_route(), tmp_path / "export", splits=("val",))
    assert not (part.root / "images/train").exists()
    digests = inspect(read_dataset(part.root, ("val",))).split_digests
    assert digests == {"val": whole.split_digests["val"]}


def test_each_picture_is_told_of(tmp_path: Path) -> None:
    """Whoever fetches may have been superseded by another pod."""

    def superseded() -> None:
        raise SealyardError("superseded")

    with pytest.raises(SealyardError, match="superseded"):
        make(a_route(), tmp_path, alive=superseded)
    make(a_route(), tmp_path)
    with pytest.raises(SealyardError, match="superseded"):
        make(a_route(), tmp_path, alive=superseded)


KEY = image_key("validated", IDS[0], 0, "image/png")


def gone(storage: Filed) -> None:
    del storage.files[KEY]


def replaced(storage: Filed) -> None:
    storage.files[KEY] = storage.files[KEY][:-1] + b"x"


def shortened(storage: Filed) -> None:
    storage.files[KEY] = storage.files[KEY][:-1]


def without_entry(storage: Filed) -> None:
    del storage.files["journal/000000000001.jsonl"]


def changed_entry(storage: Filed) -> None:
    key = "journal/000000000001.jsonl"
    storage.files[key] = storage.files[key].replace(storage.read(key)[10:11], b"!")


@pytest.mark.parametrize(
    ("harm", "kind", "message"),
    [
        (gone, MissingError, "the picture of item item-0 is not in the route's storage any more"),
        (replaced, IntegrityError, f"{KEY} has the SHA-256 [0-9a-f]+, and the record of item it"),
        (shortened, IntegrityError, f"{KEY} does not have the [0-9]+ bytes that its record says"),
        (without_entry, MissingError, "the journal ends at offset 5, and 12 is wanted"),
        (changed_entry, IntegrityError, r"journal/000000000001\.jsonl:1: "),
    ],
)
def test_what_is_wrong_with_the_storage_is_named(
    tmp_path: Path, harm: Any, kind: type[SealyardError], message: str
) -> None:
    storage = a_route()
    harm(storage)
    with pytest.raises(kind, match=message):
        make(storage, tmp_path)


@pytest.mark.parametrize(
    ("percent", "said"),
    [
        (
            1,
            "at offset 12 AnnotationRoute coins has 12 validated items with a picture, 12 to tr",
        ),
        (90, "12 validated items with a picture, 0 to train on, 12 to validate by, and 0 with a"),
    ],
)
def test_a_side_without_items_is_refused(tmp_path: Path, percent: int, said: str) -> None:
    storage = Filed()
    # All of one group, so all on one side.
    storage.file(*(validated(storage, number, name, group="g") for number, name in enumerate(IDS)))
    with pytest.raises(InvalidError, match=said) as caught:
        make(storage, tmp_path, a_task(percent=percent))
    assert "validate more, and create a new TrainingRun" in str(caught.value)


def test_nothing_is_fetched_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(MissingError, match="enlarge the workspace's claim, or make room in it"):
        make(a_route(), tmp_path)
    assert files(tmp_path / "run") == set()


def test_a_volume_without_the_folder_is_named(tmp_path: Path) -> None:
    task = a_task()
    assert task.snapshot is not None
    with pytest.raises(MissingError, match="there is no folder filed in the route's volume yet"):
        make_dataset(task, task.snapshot, Mounts(dataset=tmp_path), tmp_path / "run")


class Moving(Filed):
    """The router goes on between two of our requests, so often."""

    moves = 0
    one_at_a_time = threading.Lock()

    def copy(self, key: str, size: int, file: BinaryIO) -> str:
        with self.one_at_a_time:
            if self.moves:
                self.moves -= 1
                begin = self.fold.offset
                side = "seed" if self.moves % 2 else "validated"
                self.file(
                    *(validated(self, begin + n, name, verdict=side) for n, name in enumerate(IDS))
                )
            return super().copy(key, size, file)


def test_what_moves_meanwhile_is_looked_for_anew(tmp_path: Path) -> None:
    storage = Moving()
    storage.file(*(validated(storage, number, name) for number, name in enumerate(IDS)))
    journal = Journal(storage)
    items = journal.at(12).items
    storage.moves = 3
    wanted = {f"images/{name}.png": items[name] for name in IDS}
    SnapshotPictures(storage, journal, tmp_path, wanted, Room(tmp_path)).fetch(lambda: None)
    assert files(tmp_path) == set(wanted)
