"""Ultralytics' trainer, but for what its confusion matrix counts.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.utils.metrics import ConfusionMatrix

LEAST_CONFIDENCE = 0.25
"""Of a box that counts as found where boxes are counted or shown; `yolo predict` has the same."""


class _Confusion(ConfusionMatrix):  # type: ignore[misc]
    """Of the boxes that a user of the model would see.

    The validator takes any box of a confidence of 0.001 or more, as the mean average precision
    wants it; in a matrix such boxes, hundreds on each picture, would hide all others.
    """

    def process_batch(
        self, detections: Any, batch: Any, conf: float = 0.0, iou_thres: float = 0.45
    ) -> None:
        """Count the boxes of one picture."""
        super().process_batch(detections, batch, max(conf, LEAST_CONFIDENCE), iou_thres)


class _Validator(DetectionValidator):  # type: ignore[misc]
    def init_metrics(self, model: Any) -> None:
        """Begin to count."""
        super().init_metrics(model)
        saved = self.args.plots and self.args.visualize
        self.confusion_matrix = _Confusion(names=model.names, save_matches=saved)


class Trainer(DetectionTrainer):  # type: ignore[misc]
    """Trains as ultralytics' own does, and measures the same figures."""

    on_new_model: Callable[[Any], None] | None = None
    """Is given each model that was built, before anything is done with it."""

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The model to train."""
        model = super().get_model(cfg, weights, verbose)
        if self.on_new_model is not None:
            self.on_new_model(model)
        return model

    def get_validator(self) -> _Validator:
        """The validator of every epoch and of the best model."""
        return _Validator(
            self.test_loader,
            save_dir=self.save_dir,
            args=copy(self.args),
            _callbacks=self.callbacks,
        )
