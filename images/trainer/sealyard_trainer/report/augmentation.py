"""What ultralytics' augmentation makes of a few pictures, by its own code and the run's arguments.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from ultralytics.cfg import get_cfg
from ultralytics.data.build import build_yolo_dataset

from sealyard_trainer.data_yaml import SPLITS
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_measures import Box
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.report.model import Picture
from sealyard_trainer.report.pictures import choose, make_picture, to_marks

SHOWN = 6
MIXED = 12
"""Pictures that a mosaic is made of."""
# Of the arguments of a run: what would look elsewhere, take a part only, or keep copies.
OVERRIDES = {"cache": False, "fraction": 1.0, "rect": False, "task": "detect"}


def augment(dataset: Dataset, arguments: Mapping[str, Any], view: Path) -> tuple[Picture, ...]:
    """Pictures as a training with these arguments sees them in its first epochs.

    Args:
        dataset: it was checked.
        arguments: ultralytics' training arguments; its defaults for the rest.
        view: an empty folder, for links and ultralytics' caches.
    """
    train = SPLITS[0]
    chosen = choose([each for each in dataset.pictures if each.split == train], MIXED)
    make_view(dataclasses.replace(dataset, pictures=tuple(chosen)), view)
    settings = get_cfg(overrides={**arguments, **OVERRIDES})
    data = {"names": dict(enumerate(dataset.names)), "nc": len(dataset.names), "channels": 3}
    loader = build_yolo_dataset(settings, str(view / train / "images"), 1, data, mode="train")
    seed = int(settings.seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    indexes = choose(range(len(loader)), SHOWN)
    return tuple(_picture(number, loader[index]) for number, index in enumerate(indexes, start=1))


def _picture(number: int, item: Mapping[str, Any]) -> Picture:
    pixels = item["img"].numpy().transpose(1, 2, 0)
    boxes = [
        Box(int(class_index), *map(float, sides))
        for class_index, sides in zip(
            item["cls"].flatten().tolist(), item["bboxes"].tolist(), strict=True
        )
    ]
    return make_picture(f"augmented {number}", Image.fromarray(pixels), to_marks(boxes))
