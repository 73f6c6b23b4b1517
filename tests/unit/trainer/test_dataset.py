"""What a good dataset is: its pictures, its labels, its digest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sealyard.jobs.lock import Superseded
from sealyard_trainer.dataset import label_path, read_dataset
from sealyard_trainer.dataset_check import Inspection, inspect
from sealyard_trainer.dataset_view import make_view


def look(root: Path) -> Inspection:
    return inspect(read_dataset(root))


@pytest.mark.parametrize(
    ("picture", "label"),
    [
        ("images/train/a.png", "labels/train/a.txt"),
        ("train/images/a.b.jpg", "train/labels/a.b.txt"),
        ("images/images/a.png", "images/labels/a.txt"),
        ("pictures/a.png", "pictures/a.txt"),
        ("a.png", "a.txt"),
    ],
)
def test_labels_are_where_ultralytics_looks_for_them(picture: str, label: str) -> None:
    assert label_path(picture) == label


def test_a_dataset_is_counted(dataset: Path) -> None:
    inspection = look(dataset)
    assert inspection.pictures == {"train": 3, "val": 1}
    assert inspection.boxes == {"train": 4, "val": 2}


@pytest.mark.parametrize(
    "names", ["[coin, button]", "{0: coin, 1: button}", "{1: button, 0: coin}"]
)
def test_names_in_any_form(dataset: Path, names: str) -> None:
    digest = look(dataset).digest
    (dataset / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames: {names}\n")
    assert look(dataset).digest == digest


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: [images/train]\nval: [images/val/]\nnc: 2\n",
        "path:\ntrain: ./images/train\nval: images/val\ntest: images/gone\n",
        "train: lists/train.txt\nval: images/val\n",
        "path: images\ntrain: train\nval: val\n",
    ],
)
def test_ways_to_say_the_same(dataset: Path, text: str) -> None:
    digest = look(dataset).digest
    (dataset / "lists").mkdir()
    (dataset / "lists/link.png").symlink_to("../images/train/b.jpg")
    lines = ["images/train/c.png", "images/train/b.jpg", "images/train/a.png", ""]
    (dataset / "lists/train.txt").write_text("\ufeff" + "\r\n".join(lines))
    (dataset / "data.yaml").write_text(text + "names: [coin, button]\n")
    assert look(dataset).digest == digest


def test_what_is_hidden_or_no_picture_is_left_alone(dataset: Path) -> None:
    digest = look(dataset).digest
    (dataset / "images/train/._a.png").write_bytes(b"what a Mac leaves behind")
    (dataset / "images/train/.cache").mkdir()
    (dataset / "images/train/readme.md").write_text("pictures of coins")
    assert look(dataset).digest == digest


def test_links_within_the_dataset_are_followed_once(dataset: Path) -> None:
    (dataset / "images/train/loop").symlink_to("../train")
    (dataset / "images/train/more").symlink_to("../val")
    assert look(dataset).pictures == {"train": 4, "val": 1}


def touch(root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path, (1, 1))


def remake(root: Path) -> None:
    """The same files, made in another order, by another path."""
    shutil.copytree(root, root.parent / "copy")
    shutil.rmtree(root)
    for path in sorted((root.parent / "copy").rglob("*"), reverse=True):
        target = root / path.relative_to(root.parent / "copy")
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copyfile(path, target)


@pytest.mark.parametrize("change", [touch, remake])
def test_the_digest_does_not_depend_on(dataset: Path, change: Callable[[Path], None]) -> None:
    before = look(dataset)
    change(dataset)
    assert look(dataset) == before


def rename_class(root: Path) -> None:
    path = root / "data.yaml"
    path.write_text(path.read_text().replace("button", "stamp"))


def move_a_box(root: Path) -> None:
    (root / "labels/train/a.txt").write_text("0 0.5 0.5 0.25 0.26\n")


def add_an_empty_label(root: Path) -> None:
    (root / "labels/train/c.txt").touch()


def swap_pictures(root: Path) -> None:
    a, c = root / "images/train/a.png", root / "images/train/c.png"
    content = a.read_bytes()
    a.write_bytes(c.read_bytes())
    c.write_bytes(content)


def move_between_splits(root: Path) -> None:
    (root / "images/train/c.png").rename(root / "images/val/c.png")


@pytest.mark.parametrize(
    ("change", "same_files"),
    [
        (rename_class, True),
        (move_a_box, True),
        (add_an_empty_label, True),
        (swap_pictures, True),
        (move_between_splits, False),
    ],
)
def test_the_digest_depends_on(
    dataset: Path, change: Callable[[Path], None], same_files: bool
) -> None:
    before = look(dataset)
    change(dataset)
    after = look(dataset)
    assert after.digest != before.digest
    assert (after.files_digest == before.files_digest) is same_files


def test_the_view_shows_the_same_and_takes_what_is_written(dataset: Path, tmp_path: Path) -> None:
    (dataset / "images/train/more").mkdir()
    shutil.copy(dataset / "images/train/a.png", dataset / "images/train/more/a.png")
    before = sorted(dataset.rglob("*"))
    view = tmp_path / "view"
    view.mkdir()
    data = make_view(read_dataset(dataset), view)
    assert yaml.safe_load(data.read_text()) == {
        "path": str(view),
        "train": "train/images",
        "val": "val/images",
        "names": {0: "coin", 1: "button"},
    }
    files = {str(path.relative_to(view)) for path in view.rglob("*") if path.is_file()}
    assert files == {
        "data.yaml",
        "train/images/images/train/a.png",
        "train/images/images/train/b.jpg",
        "train/images/images/train/c.png",
        "train/images/images/train/more/a.png",
        "train/images/labels/train/a.txt",
        "train/images/labels/train/b.txt",
        "val/images/images/val/d.png",
        "val/images/labels/val/d.txt",
    }
    (view / "train/images/labels/train.cache").write_text("what ultralytics keeps")
    assert sorted(dataset.rglob("*")) == before


def test_who_looks_at_pictures_says_that_it_lives(dataset: Path) -> None:
    signs: list[int] = []
    inspect(read_dataset(dataset), lambda: signs.append(1))
    assert signs == [1]  # one for each hundred of pictures


def test_who_looks_at_pictures_may_be_ended(dataset: Path) -> None:
    def superseded() -> None:
        raise Superseded("pod-2")

    with pytest.raises(Superseded):
        inspect(read_dataset(dataset), superseded)
