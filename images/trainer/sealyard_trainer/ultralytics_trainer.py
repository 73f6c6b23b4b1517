"""Ultralytics' trainer, but for what its confusion matrix counts and what its checkpoints hold.

Imported after `work_offline`, because importing ultralytics reads the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.data import RandomSampler
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import RANK
from ultralytics.utils.metrics import ConfusionMatrix

from sealyard_trainer.accumulation import Accumulating
from sealyard_trainer.resumption import Shuffle, restore, with_exact_state

LEAST_CONFIDENCE = 0.25
"""Of a box that counts as found where boxes are counted or shown; `yolo predict` has the same."""
_NOWHERE = Path(os.devnull)
_IS_ALONE = RANK == -1
"""No other process trains with this one."""


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


class _Stateless:
    """Stands for an optimizer whose state is written otherwise."""

    def state_dict(self) -> dict[str, Any]:
        """As the optimizer's."""
        return {"state": {}, "param_groups": []}


class Trainer(Accumulating):
    """Trains as ultralytics' own does, and measures the same figures."""

    on_new_model: Callable[[Any], None] | None = None
    """Is given each model that was built, before anything is done with it."""
    settle: Callable[[], None] = staticmethod(lambda: None)
    """Returns when last.pt and best.pt are those of the epoch before."""

    _document: dict[str, Any]

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The model to train."""
        model = super().get_model(cfg, weights, verbose)
        if self.on_new_model is not None:
            self.on_new_model(model)
        return model

    def get_dataloader(self, *arguments: Any, **options: Any) -> Any:
        """What loads the pictures of a split."""
        loader = super().get_dataloader(*arguments, **options)
        if _IS_ALONE and isinstance(loader.sampler, RandomSampler):
            Shuffle.into(loader)
        return loader

    def _build_train_pipeline(self) -> None:
        """Load pictures in batches of the size that the run asks for."""
        # Ultralytics does it once more where memory ran out, with half of the size.
        if (error := sys.exception()) is not None:
            raise error
        super()._build_train_pipeline()

    def save_model(self) -> bool:
        """Make the document of a checkpoint that can be resumed from exactly; others write it."""
        self.settle()
        made: list[dict[str, Any]] = []
        with (
            patch.object(torch, "save", lambda document, _file: made.append(document)),
            # It would be copied for nothing.
            patch.object(self, "optimizer", _Stateless()),
            patch.multiple(self, last=_NOWHERE, best=_NOWHERE),
        ):
            super().save_model()
        (document,) = made
        state = with_exact_state(self.optimizer.state_dict(), self, is_alone=_IS_ALONE)
        self._document = {
            **document,
            # On a GPU nothing of it stays in the memory that the next epoch wants.
            "ema": document["ema"].cpu(),
            "optimizer": state,
            "train_args": dict(document["train_args"]),
        }
        return True

    def take_document(self) -> dict[str, Any]:
        """That of the newest epoch's checkpoint, once: training on does not change it."""
        document, self._document = self._document, {}
        return document

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Go back to last.pt where the loss is no number, once that is there."""
        self.settle()
        return bool(super()._handle_nan_recovery(epoch))

    def resume_training(self, ckpt: Any) -> None:
        """Go on from a checkpoint, if it begins with one."""
        super().resume_training(ckpt)
        if self.resume and ckpt is not None:
            restore(ckpt, self, is_alone=_IS_ALONE)

    def get_validator(self) -> _Validator:
        """The validator of every epoch and of the best model."""
        return _Validator(
            self.test_loader,
            save_dir=self.save_dir,
            args=copy(self.args),
            _callbacks=self.callbacks,
        )
