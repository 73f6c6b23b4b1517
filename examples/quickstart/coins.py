"""Cut a real photograph of 24 coins into a YOLO dataset of 200 tiles.

The photograph ships with scikit-image (`skimage.data.coins()`, Greek coins from Pompeii). A
watershed finds the coins, so nobody has to draw boxes. Tiles for training come from the left of
the picture and tiles for validation from its right, so that the model is judged on coins it has
never seen.

    python coins.py /dataset            writes /dataset/coins/{data.yaml,images,labels}

Running it again changes nothing; a run that is killed leaves no half a dataset.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from skimage import data, filters, measure, segmentation

NAME = "coins"
TILE = 128
BORDER = 240
"""Tiles for training end left of this column, tiles for validation begin at it."""
TILES = {"train": 160, "val": 40}
COLUMNS = {"train": (0, BORDER), "val": (BORDER, None)}
LEAST_COIN_PIXELS = 300
LEAST_VISIBLE = 0.4
"""The share of a coin that must be in a tile before it counts as a coin there."""
SEED = 7

DATA_YAML = """\
# Tiles of skimage.data.coins(), written by examples/quickstart/coins.py
train: images/train
val: images/val
names:
  0: coin
"""


@dataclass(frozen=True)
class Box:
    """A coin in the picture, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Its size in square pixels; 0 where nothing is left of it."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def within(self, left: int, top: int) -> Box:
        """What is left of it in the tile whose corner is given, in the tile's own pixels."""
        return Box(
            min(max(self.left - left, 0), TILE),
            min(max(self.top - top, 0), TILE),
            min(max(self.right - left, 0), TILE),
            min(max(self.bottom - top, 0), TILE),
        )

    def label(self) -> str:
        """The line of a YOLO label file: class, centre and size, relative to the tile."""
        centre_x, centre_y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        width, height = self.right - self.left, self.bottom - self.top
        numbers = (centre_x / TILE, centre_y / TILE, width / TILE, height / TILE)
        return "0 " + " ".join(f"{number:.6f}" for number in numbers)


def find_coins(picture: np.ndarray) -> list[Box]:
    """The boxes around the coins: flood from what is surely dark and from what is surely bright."""
    markers = np.zeros_like(picture, dtype=np.int32)
    markers[picture < 30] = 1
    markers[picture > 150] = 2
    flooded = segmentation.watershed(filters.sobel(picture), markers)
    coins = measure.label(ndimage.binary_fill_holes(flooded == 2))
    boxes = []
    for region in measure.regionprops(coins):
        if region.area > LEAST_COIN_PIXELS:
            top, left, bottom, right = region.bbox
            boxes.append(Box(left, top, right, bottom))
    return boxes


def write_split(folder: Path, split: str, count: int, picture: np.ndarray, coins: list[Box]) -> int:
    """Write the tiles of one split and give the number of boxes in them."""
    start, end = COLUMNS[split]
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    height, width = picture.shape
    random = np.random.default_rng([SEED, start])
    boxes = 0
    for index in range(count):
        left = int(random.integers(start, (end or width) - TILE + 1))
        top = int(random.integers(0, height - TILE + 1))
        tile = np.ascontiguousarray(picture[top : top + TILE, left : left + TILE])
        seen = [(coin, coin.within(left, top)) for coin in coins]
        visible = [part for coin, part in seen if part.area >= LEAST_VISIBLE * coin.area]
        cv2.imwrite(str(images / f"{split}-{index:03}.png"), tile)
        (labels / f"{split}-{index:03}.txt").write_text(
            "".join(part.label() + "\n" for part in visible)
        )
        boxes += len(visible)
    return boxes


def write_dataset(parent: Path, tiles: Mapping[str, int] = TILES) -> Path:
    """Write the dataset into `parent/coins` unless it is there, and say what is in it."""
    target = parent / NAME
    if (target / "data.yaml").is_file():
        print(f"{target} is there already")
        return target
    unfinished = parent / f".{NAME}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    picture = data.coins()
    coins = find_coins(picture)
    for split, count in tiles.items():
        boxes = write_split(unfinished, split, count, picture, coins)
        print(f"{split}: {count} tiles of {TILE} x {TILE} pixels with {boxes} coins in them")
    (unfinished / "data.yaml").write_text(DATA_YAML)
    unfinished.rename(target)
    print(f"{len(coins)} coins found in the photograph; the dataset is in {target}")
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python coins.py FOLDER")
    write_dataset(Path(sys.argv[1]))
