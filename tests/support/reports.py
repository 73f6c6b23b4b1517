"""A report as it may be at worst: names that are code, more of everything than is shown, noise."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
from PIL import Image

from sealyard_trainer.attempts import Attempt
from sealyard_trainer.dataset_measures import SIZE_STEPS
from sealyard_trainer.report.model import (
    ClassResult,
    Comparison,
    Curves,
    DatasetPart,
    Evaluation,
    Mark,
    Picture,
    Report,
    Split,
    TrainingPart,
)
from sealyard_trainer.report.pictures import make_picture

HOSTILE = (
    "</title><script>alert('$1_0$')</script><img src=https://evil.test/x onerror=x>\u202e\x1b&amp;"
)
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def noise(name: str, classes: int) -> Picture:
    """A picture that nothing compresses, with more boxes than are drawn."""
    seeded = np.random.default_rng(1)
    pixels = Image.fromarray(seeded.integers(0, 255, (500, 500, 3), dtype=np.uint8))
    marks = [Mark(index % classes, 0.1, 0.2, 0.3, 0.4, 0.5) for index in range(300)]
    return make_picture(name, pixels, marks)


def make_report(classes: int, name: str = HOSTILE) -> Report:
    """A report on so many classes, each of which has its number after the name."""
    chance = random.Random(1)  # noqa: S311 - the same every time
    names = tuple(f"{name}{index}" for index in range(classes))
    counts = tuple(chance.randrange(100_000) for _ in names)
    picture = noise(name, classes)
    epochs = tuple(range(1, 401))
    columns = ["metrics/mAP50(B)", "metrics/recall(B)", "train/box_loss", "val/box_loss", "lr/pg0"]
    dataset = DatasetPart(
        names=names,
        digest="a" * 64,
        splits=(Split("train", 10, 20, 1, counts), Split("val", 4, 5, 0, counts)),
        sizes=[[chance.randrange(9) for _ in range(SIZE_STEPS)] for _ in range(SIZE_STEPS)],
        samples=(picture,) * 12,
        augmented=(picture,) * 6,
    )
    training = TrainingPart(
        model={"architecture": name},
        epochs=400,
        figures={"mAP50": 0.5},
        arguments={"optimizer": name, "extra": {name: [name] * 1000}},
        curves=Curves(
            epochs, {each: tuple(chance.random() for _ in epochs) for each in columns}, 9
        ),
        attempts=tuple(Attempt(number=n, from_epoch=n - 1, started_at=NOW) for n in range(1, 500)),
        evaluation=Evaluation(
            recalls=tuple(index / 200 for index in range(200)),
            classes=tuple(
                ClassResult(index, 7, 0.5, 0.6, 0.7, 0.8, (0.5,) * 200) for index in range(classes)
            ),
            confusion=tuple(
                tuple(chance.randrange(100) for _ in range(classes + 1)) for _ in range(classes + 1)
            ),
        ),
        comparisons=(Comparison(picture, picture),) * 6,
        machine={"CPU": name},
    )
    return Report(title=name, made_at=NOW + timedelta(days=1), dataset=dataset, training=training)
