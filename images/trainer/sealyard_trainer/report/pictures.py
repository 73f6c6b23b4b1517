"""Small copies of pictures, without what a camera wrote into them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageOps

from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset import Picture as Source
from sealyard_trainer.dataset_check import MAX_LABEL_BYTES, PICTURE_FORMATS, check_labels
from sealyard_trainer.dataset_measures import Box
from sealyard_trainer.report.model import Mark, Picture

LONGEST_SIDE = 400
QUALITY = 80
MOST_MARKS = 60
"""On one picture; more of them would hide it."""

Item = TypeVar("Item")


def open_picture(path: Path, least_side: int = LONGEST_SIDE) -> Image.Image:
    """A picture as people see it: upright and in RGB.

    Args:
        path: it was decoded before, by the check of the dataset.
        least_side: a JPEG may be decoded as small as this, which is many times as fast.
    """
    with Image.open(path, formats=PICTURE_FORMATS) as image:
        image.draft("RGB", (least_side, least_side))
        return ImageOps.exif_transpose(image).convert("RGB")


def make_picture(name: str, image: Image.Image, marks: Sequence[Mark]) -> Picture:
    """A copy that is small in pixels and bytes, with the first marks."""
    copy = image.copy()
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stream = io.BytesIO()
    # Pixels alone: neither the place of a camera nor anything else that came with the picture.
    copy.save(stream, "JPEG", quality=QUALITY, exif=b"", icc_profile=None)
    shown = tuple(marks[:MOST_MARKS])
    return Picture(name, stream.getvalue(), *copy.size, shown, len(marks) - len(shown))


def read_marks(dataset: Dataset, source: Source) -> list[Mark]:
    """What the label file of a picture says; nothing where it has none."""
    path = dataset.root / source.label_path
    if not path.exists():
        return []
    with path.open("rb") as file:
        boxes, _ = check_labels(source.label_path, file.read(MAX_LABEL_BYTES), len(dataset.names))
    return to_marks(boxes)


def to_marks(boxes: Iterable[Box]) -> list[Mark]:
    """Boxes by their corner rather than their centre."""
    return [
        Mark(
            box.class_index,
            box.x - box.width / 2,
            box.y - box.height / 2,
            box.width,
            box.height,
        )
        for box in boxes
    ]


def choose(items: Sequence[Item], count: int) -> list[Item]:
    """So many of them, from all over the sequence; the same each time."""
    if len(items) <= count:
        return list(items)
    return [items[(2 * index + 1) * len(items) // (2 * count)] for index in range(count)]
