"""What the best model finds on a few pictures of the validation set.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from ultralytics import YOLO

from sealyard_trainer.data_yaml import SPLITS
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.report.model import Comparison, Mark
from sealyard_trainer.report.pictures import (
    MOST_MARKS,
    choose,
    make_picture,
    open_picture,
    read_marks,
)
from sealyard_trainer.ultralytics_trainer import LEAST_CONFIDENCE

SHOWN = 6


def compare(
    weights: Path, dataset: Dataset, *, image_size: int, device: str
) -> tuple[Comparison, ...]:
    """Pictures with what is on them, and the same with what the model finds."""
    model = YOLO(str(weights))
    comparisons = []
    sources = [each for each in dataset.pictures if each.split == SPLITS[1]]
    for source in choose(sources, SHOWN):
        image = open_picture(dataset.root / source.path, image_size)
        found = _find(model, image, image_size, device)
        comparisons.append(
            Comparison(
                truth=make_picture(source.path, image, read_marks(dataset, source)),
                found=make_picture(source.path, image, found),
            )
        )
    return tuple(comparisons)


def _find(model: YOLO, image: Image.Image, image_size: int, device: str) -> list[Mark]:
    """The boxes on a picture, the surest first."""
    # A picture rather than its path, in which ultralytics would see patterns and addresses.
    (result,) = model.predict(
        image,
        imgsz=image_size,
        device=device,
        conf=LEAST_CONFIDENCE,
        max_det=MOST_MARKS,
        save=False,
        verbose=False,
    )
    boxes: Any = result.boxes
    return [
        Mark(int(index), left, top, right - left, bottom - top, confidence)
        for index, (left, top, right, bottom), confidence in zip(
            boxes.cls.tolist(), boxes.xyxyn.tolist(), boxes.conf.tolist(), strict=True
        )
    ]
