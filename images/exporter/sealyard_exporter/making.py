"""The ONNX file of a variant: made, compared with the checkpoint, and judged.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealyard.api.model_release import FiguresOf, Platform
from sealyard.api.tasks import ExportTask
from sealyard.api.training_run import Metrics
from sealyard_exporter import comparison, judge, onnx_export, precision
from sealyard_exporter.validated import as_validated
from sealyard_exporter.validation_set import evenly_spaced
from sealyard_trainer.dataset import Dataset

DEFAULT_OPSET = 18


@dataclass(frozen=True, slots=True)
class Made:
    """A file that may be shipped, and what is known of it."""

    path: Path
    max_difference: float
    metrics: Metrics
    figures_of: FiguresOf
    """Whether the figures are its own, or those of the ONNX file that it was built from."""
    platform: Platform | None
    """Where it runs; None for anywhere."""


def make_onnx(task: ExportTask, checkpoint: Path, validation: Dataset) -> Made:
    """Write the ONNX file beside the checkpoint, and judge it on the processor.

    Raises:
        InvalidError: the model cannot be exported this way.
        IntegrityError: the file does not run, or computes something else.
    """
    variant = task.variant
    request = onnx_export.Request(
        checkpoint=checkpoint,
        image_size=task.image_size,
        dynamic=bool(variant.dynamic),
        opset=variant.opset or DEFAULT_OPSET,
        facts={
            "sealyard.checkpointSha256": task.checkpoint_sha256,
            "sealyard.model": task.model,
            "sealyard.precision": variant.precision,
            "sealyard.version": task.version,
            "sealyard.variant": variant.name,
        },
    )
    exported = onnx_export.export(request)
    precision.convert(
        exported,
        variant.precision,
        evenly_spaced(validation, precision.CALIBRATION_PICTURES),
        task.image_size,
        for_engine=variant.is_engine,
    )
    difference = comparison.compare(
        checkpoint,
        comparison.runs_onnx(exported),
        image_size=task.image_size,
        dynamic=request.dynamic,
        most=comparison.MOST_DIFFERENCE[variant.precision],
    )
    metrics = judge.judge(
        exported, validation, image_size=task.image_size, validated=as_validated(checkpoint)
    )
    platform = Platform(**variant.platform.model_dump()) if variant.platform else None
    return Made(exported, difference, metrics, "file", platform)
