"""The quickstart's dataset: real coins, the same each time, whole or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from support.coins import PROGRAM, coins_program, write_coins


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def place(tile: np.ndarray, picture: np.ndarray) -> list[tuple[int, int]]:
    """Where in the picture a tile was cut out."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (4, 4))
    candidates = np.argwhere((windows == tile[:4, :4]).all(axis=(2, 3)))
    return [
        (int(top), int(left))
        for top, left in candidates
        if np.array_equal(picture[top : top + 128, left : left + 128], tile)
    ]


def test_all_coins_of_the_photograph_are_found() -> None:
    boxes = coins_program().find_coins(data.coins())
    assert len(boxes) == 24
    assert all(20 < box.right - box.left < 80 for box in boxes)


def test_the_program_writes_what_the_trainer_takes(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "train: 160 tiles of 128 x 128 pixels" in first.stdout
    assert "24 coins found in the photograph" in first.stdout
    written = digests(tmp_path)
    inspection = inspect(read_dataset(tmp_path / "coins"))
    assert inspection.pictures == {"train": 160, "val": 40}
    assert inspection.boxes["train"] > 400
    assert inspection.boxes["val"] > 100
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "is there already" in again.stdout
    assert digests(tmp_path) == written


def test_it_is_the_same_everywhere_and_after_a_kill(tmp_path: Path) -> None:
    write_coins(tmp_path / "a", train=4, val=2)
    half = tmp_path / "b/.coins.unfinished/images/train"
    half.mkdir(parents=True)
    (half / "train-000.png").write_bytes(b"half a pic")
    write_coins(tmp_path / "b", train=4, val=2)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize(("split", "leftmost", "rightmost"), [("train", 0, 240), ("val", 240, 384)])
def test_the_model_is_judged_on_coins_it_never_saw(
    tmp_path: Path, split: str, leftmost: int, rightmost: int
) -> None:
    root = write_coins(tmp_path, train=6, val=6)
    for path in (root / "images" / split).iterdir():
        places = place(np.asarray(Image.open(path)), data.coins())
        assert places
        assert all(leftmost <= left and left + 128 <= rightmost for _, left in places)


def test_without_a_folder_it_says_how_it_is_used() -> None:
    command = [sys.executable, str(PROGRAM)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "usage: python coins.py FOLDER\n")
