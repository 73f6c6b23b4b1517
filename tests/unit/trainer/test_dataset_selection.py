"""Of all files in a store those that a dataset needs: as many as the checker would look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard_trainer.data_yaml import SPLITS, DataYaml, read_data_yaml
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.dataset_selection import files_of, lists_of

NAMES = "names: [coin, button]\n"


def all_files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def select(root: Path, splits: tuple[str, ...]) -> set[str]:
    """What is selected of a folder's files, as if it were a store."""
    paths = all_files(root)
    description = read_data_yaml(root)
    lists = lists_of(description, splits, paths)
    lines = {path: (root / path).read_text("utf-8-sig").splitlines() for path in lists}
    return {"data.yaml", *files_of(description, splits, paths, lines)}


@pytest.mark.parametrize("splits", [SPLITS, ("val",)])
@pytest.mark.parametrize(
    "text",
    [
        "train: images/train\nval: images/val\n",
        "path: .\ntrain: [images/train]\nval: [./images/val/]\n",
        "path: images/\ntrain: train\nval: val\n",
        "train: lists/train.txt\nval: images/val\n",
        "train: images/train/beside.TXT\nval: images/val\n",
        "train: .\nval: images/val\n",
    ],
)
def test_what_is_selected_is_the_same_dataset(
    dataset: Path, text: str, splits: tuple[str, ...]
) -> None:
    pictures = [f"images/train/{name}" for name in ("a.png", "b.jpg", "c.png")]
    (dataset / "lists").mkdir()
    (dataset / "lists/train.txt").write_text("\ufeff" + "\r\n".join([*pictures, ""]))
    (dataset / "images/train/beside.TXT").write_text("./a.png\n./b.jpg\n")
    (dataset / "images/test").mkdir()
    (dataset / "images/test/e.png").write_bytes((dataset / "images/val/d.png").read_bytes())
    for hidden in ("images/.cache/f.png", "images/train/._a.png"):
        (dataset / hidden).parent.mkdir(exist_ok=True)
        (dataset / hidden).write_bytes(b"what a Mac leaves behind")
    (dataset / "data.yaml").write_text(text + NAMES)
    digest = inspect(read_dataset(dataset, splits)).digest
    selected = select(dataset, splits)
    for path in all_files(dataset) - selected:
        (dataset / path).unlink()
    assert inspect(read_dataset(dataset, splits)).digest == digest
    assert not any("/." in path for path in selected)
    assert ("images/test/e.png" in selected) == (text.startswith("train: .\n") and splits == SPLITS)
    assert splits == SPLITS or not any("train" in path for path in selected)


@pytest.mark.parametrize("entry", ["/etc", "..", "../other", "images/../../other", "gone"])
def test_what_leads_out_or_nowhere_is_left_to_the_checker(entry: str) -> None:
    description = DataYaml(("coin",), ".", {"train": (entry,), "val": ("images",)}, {})
    paths = {"data.yaml", "images/a.png", "other/b.png", "etc/c.png"}
    assert lists_of(description, SPLITS, paths) == set()
    assert files_of(description, SPLITS, paths, {}) == {"images/a.png"}


def test_lines_that_lead_out_or_nowhere_are_left_to_the_checker() -> None:
    description = DataYaml(("coin",), ".", {"train": ("list.txt",), "val": ("images",)}, {})
    paths = {"list.txt", "images/a.png", "b.png"}
    lines = {"list.txt": ["../x.png", "/b.png", "gone.png", "", " b.png "]}
    assert files_of(description, ("train",), paths, lines) == {"list.txt", "b.png"}
