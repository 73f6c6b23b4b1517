"""How good is what will be shipped? The exported file itself runs over the validation set."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ultralytics import YOLO

from sealyard.api.training_run import Metrics
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.figures import read_metrics


def judge(exported: Path, dataset: Dataset, *, image_size: int) -> Metrics:
    """The figures of an exported file.

    Each picture is put into the square that the file takes. The training validates in rectangles
    that fit the pictures, so the figures of an equal model may differ in the third digit.

    Args:
        exported: The .onnx file.
        dataset: the pictures and labels that it is measured with.
        image_size: the side of the square.
    """
    with tempfile.TemporaryDirectory(prefix="validation-", dir=exported.parent) as folder:
        data = make_view(dataset, Path(folder) / "view")
        result = YOLO(str(exported), task="detect").val(
            data=str(data),
            imgsz=image_size,
            batch=1,
            rect=False,
            device="cpu",
            workers=0,
            plots=False,
            verbose=False,
            project=folder,
            name="val",
        )
    return read_metrics(result.results_dict)
