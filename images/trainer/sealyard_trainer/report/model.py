"""What a report says: plain values, bounded in number and size, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sealyard_trainer.attempts import Attempt


@dataclass(frozen=True, slots=True)
class Mark:
    """A box on a picture, in parts of its sides; with a confidence where a model drew it."""

    class_index: int
    left: float
    top: float
    width: float
    height: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A small copy of a picture, and what is marked on it."""

    name: str
    jpeg: bytes
    width: int
    height: int
    """Of the copy, in pixels."""
    marks: tuple[Mark, ...]
    marks_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """How much there is of one split."""

    name: str
    pictures: int
    boxes: int
    pictures_without_boxes: int
    boxes_by_class: Sequence[int]


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """The dataset at a glance."""

    names: tuple[str, ...]
    digest: str
    splits: tuple[Split, ...]
    sizes: Sequence[Sequence[int]]
    """Boxes of all splits by step of height, then of width (`dataset_measures`)."""
    samples: tuple[Picture, ...]
    augmented: tuple[Picture, ...] = ()
    """What training sees; empty where nothing could tell."""

    @property
    def boxes_by_class(self) -> list[int]:
        """Of all splits."""
        counts = [split.boxes_by_class for split in self.splits]
        return [sum(each) for each in zip(*counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Curves:
    """Columns of results.csv, one value for each of `epochs`; a long run is thinned out."""

    epochs: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    seconds: float
    """What training took, over all attempts."""


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The figures of one class on the validation set."""

    class_index: int
    boxes: int
    precision: float
    recall: float
    ap50: float
    ap50_95: float
    curve: tuple[float, ...]
    """Precision at each of `Evaluation.recalls`."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the best model did on the validation set, as ultralytics' own validator has it."""

    recalls: tuple[float, ...]
    classes: tuple[ClassResult, ...]
    """Those that the validation set has boxes of."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Boxes by predicted, then by true class; the last of each is the background. Empty where the
    validator was told not to count."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A picture of the validation set: what is on it, and what the model found."""

    truth: Picture
    found: Picture


@dataclass(frozen=True, slots=True)
class TrainingPart:
    """What came of a run."""

    model: Mapping[str, object]
    epochs: int
    figures: Mapping[str, float]
    """Of the best model: label and value."""
    arguments: Mapping[str, object]
    curves: Curves
    attempts: tuple[Attempt, ...]
    evaluation: Evaluation
    comparisons: tuple[Comparison, ...]
    machine: Mapping[str, str]
    """Hardware and versions: label and value."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; a preview has no training."""

    title: str
    made_at: datetime
    dataset: DatasetPart
    training: TrainingPart | None = None
