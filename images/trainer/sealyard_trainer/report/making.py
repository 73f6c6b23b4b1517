"""Makes report.html of a run that is trained: collects, draws, writes."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealyard.api.tasks import TrainTask
from sealyard.api.training_run import Metrics
from sealyard.jobs.workspace import read_record, write_atomic
from sealyard_trainer.attempts import Attempt
from sealyard_trainer.curve import MAX_BYTES as MAX_CURVE_BYTES
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_check import Inspection
from sealyard_trainer.report.augmentation import augment
from sealyard_trainer.report.curves import parse_curves
from sealyard_trainer.report.dataset import collect_dataset
from sealyard_trainer.report.evaluation import read_evaluation
from sealyard_trainer.report.machine import describe_machine
from sealyard_trainer.report.model import Report, TrainingPart
from sealyard_trainer.report.page import render
from sealyard_trainer.report.predictions import compare

FIGURES = {"map50": "mAP50", "map50_95": "mAP50-95", "precision": "Precision", "recall": "Recall"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is trained, and what it was trained on."""

    task: TrainTask
    arguments: Mapping[str, Any]
    """Ultralytics' training arguments that the user chose."""
    dataset: Dataset
    inspection: Inspection
    epochs: int
    metrics: Metrics
    attempts: Sequence[Attempt]
    trainer: Any
    """Ultralytics' own, after its last validation."""
    weights: Path
    curve: Path


def make_report(finished: Finished, path: Path, scratch: Path) -> None:
    """Write the page to `path`, whole or not at all."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="report-", dir=scratch) as view:
        augmented = augment(finished.dataset, finished.arguments, Path(view))
    report = Report(
        title=f"{finished.task.owner.namespace}/{finished.task.owner.name}",
        made_at=datetime.now(UTC),
        dataset=collect_dataset(finished.dataset, finished.inspection, augmented),
        training=_training(finished),
    )
    page = render(report).encode()
    write_atomic(path, page)
    logger.info("report: %d bytes (%.1f s)", len(page), time.monotonic() - started)


def _training(finished: Finished) -> TrainingPart:
    task, device = finished.task, str(finished.trainer.device)
    scale = task.model.scale.model_dump(exclude_none=True) if task.model.scale else {}
    figures = finished.metrics.model_dump(exclude_none=True)
    return TrainingPart(
        model={
            "architecture": task.model.architecture,
            **{f"scale.{name}": value for name, value in scale.items()},
        },
        epochs=finished.epochs,
        figures={label: figures[name] for name, label in FIGURES.items() if name in figures},
        arguments=finished.arguments,
        curves=parse_curves(read_record(finished.curve, MAX_CURVE_BYTES).decode()),
        attempts=tuple(finished.attempts),
        evaluation=read_evaluation(finished.trainer.validator),
        comparisons=compare(
            finished.weights,
            finished.dataset,
            image_size=task.hyperparameters.image_size,
            device=device,
        ),
        machine=describe_machine(device),
    )
