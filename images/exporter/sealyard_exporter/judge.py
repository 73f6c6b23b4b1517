"""How good is what will be shipped? The exported file itself runs over the validation set."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionValidator

from sealyard.api.training_run import Metrics
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.figures import read_metrics


def judge(
    exported: Path, dataset: Dataset, *, image_size: int, validated: Mapping[str, Any]
) -> Metrics:
    """The figures of an .onnx file, run on the processor.

    Each picture is put into the square that the file takes. The training validates in rectangles
    that fit the pictures, with a margin of up to a stride, so an equal model has other figures.

    Args:
        exported: the file.
        dataset: the pictures and labels that it is measured with.
        image_size: the side of the square.
        validated: the arguments that the run was validated with.
    """
    with tempfile.TemporaryDirectory(prefix="validation-", dir=exported.parent) as folder:
        result = YOLO(str(exported), task="detect").val(
            device="cpu", **_arguments(dataset, Path(folder), image_size, validated)
        )
    return read_metrics(result.results_dict)


def judge_module(
    module: Any,
    dataset: Dataset,
    *,
    names: dict[int, str],
    image_size: int,
    validated: Mapping[str, Any],
    device: str,
    work: Path,
) -> Metrics:
    """The same of what runs as a PyTorch module: an engine, say.

    Args:
        module: from a batch of pictures to the raw output.
        dataset: the pictures and labels that it is measured with.
        names: of its classes.
        image_size: the side of the square.
        validated: the arguments that the run was validated with.
        device: where it wants the pictures: `cuda:0`.
        work: a folder for what is only needed meanwhile.
    """
    # What ultralytics reads off a model of its own.
    module.names, module.stride = names, torch.tensor([32.0])
    with tempfile.TemporaryDirectory(prefix="validation-", dir=work) as folder:
        arguments = _arguments(dataset, Path(folder), image_size, validated)
        validator = DetectionValidator(args={"task": "detect", "device": device, **arguments})
        validator(model=module)
    return read_metrics(validator.metrics.results_dict)


def _arguments(
    dataset: Dataset, folder: Path, image_size: int, validated: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **validated,
        "data": str(make_view(dataset, folder / "view")),
        "imgsz": image_size,
        "batch": 1,
        "rect": False,
        "workers": 0,
        "plots": False,
        "verbose": False,
        "project": str(folder),
        "name": "val",
    }
