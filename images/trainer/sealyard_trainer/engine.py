"""Drives ultralytics' trainer, and does between its epochs what makes a run survive.

This is the only module that is imported after `work_offline`, because importing ultralytics reads
the environment.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ultralytics.utils import LOGGER, SETTINGS

from sealyard.api.answers import Transfer
from sealyard.api.training_run import Metrics, ModelSpec
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.process import unbroken
from sealyard_trainer.checkpoints import Checkpoints
from sealyard_trainer.curve import Curve
from sealyard_trainer.figures import read_metrics
from sealyard_trainer.gpu_memory import refusal
from sealyard_trainer.progress import Meter
from sealyard_trainer.progress_client import ProgressClient
from sealyard_trainer.several import OneOfSeveral, leave, number_of_processes
from sealyard_trainer.starting_point import load_starting_point, transfer
from sealyard_trainer.tracking.tracking import Tracking
from sealyard_trainer.ultralytics_trainer import Trainer

INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
MOST_WORKERS = 8
HOOKED = (
    *("on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"),
    *("on_val_batch_end", "on_val_end", "on_model_save", "on_fit_epoch_end"),
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint to fine-tune."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, and from what: the same for each of several processes."""

    model: ModelSpec
    arguments: Mapping[str, Any]
    data: Path
    """The data.yaml of the checked view."""
    gpus: int
    folder: Path
    """Ultralytics' own folder: its files are half written at times and nobody else reads them."""
    start: Path
    """The file in it that ultralytics begins with: an architecture, or a checkpoint."""
    resumes: bool
    """Whether that is a checkpoint of this run."""
    weights: Weights | None = None
    """What it begins with, if it begins; a checkpoint of its own has learnt from them already."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where the pieces go, between the epochs and at their ends."""

    checkpoints: Checkpoints
    curve: Curve
    lock: WorkspaceLock
    meter: Meter
    progress: ProgressClient | None
    tracking: Tracking


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out."""

    epochs: int
    metrics: Metrics
    best: Path
    trainer: Any
    """Ultralytics' own: its validator knows more of the best model than the metrics say."""
    transfer: Transfer | None
    """What was taken from the weights, where this attempt began with them."""


def train(training: Training, record: Record | None) -> Trained:
    """Train to the end, from the beginning or from a checkpoint.

    Args:
        training: what is trained.
        record: None in a process that helps another one, which records what they do.

    Raises:
        InvalidError: ultralytics refuses an argument, the architecture cannot be built, or the
            weights are not safe or not of it; the GPU has too little memory for the batch.
        MissingError: there are not so many GPUs.
        UnavailableError: the GPU has no memory left, though there was enough before.
        Interrupted: another pod has taken over the run, or SIGTERM.
    """
    LOGGER.setLevel(logging.WARNING)
    SETTINGS.update(dict.fromkeys(INTEGRATIONS, False) | {"sync": False})
    trainer = _trainer(training)
    start = None
    if training.weights and not training.resumes:
        start = _Start(training.weights, training.model.architecture)
    trainer.on_new_model = start
    with ExitStack() as part:
        if record is not None:
            hooks = _Hooks(record, part)
            for event in HOOKED:
                trainer.add_callback(event, getattr(hooks, event))
        _run(trainer, training)
    leave()
    return Trained(
        epochs=trainer.epoch + 1,
        metrics=read_metrics(trainer.metrics),
        best=Path(trainer.best),
        trainer=trainer,
        transfer=start.transfer if start else None,
    )


def _run(trainer: Any, training: Training) -> None:
    try:
        trainer.train()
    except RuntimeError as error:
        arguments = training.arguments
        raise refusal(
            error,
            batch=arguments["batch"],
            image_size=arguments["imgsz"],
            has_fit=training.resumes or trainer.epoch > 0,
        ) from error


def _trainer(training: Training) -> Any:
    processes = number_of_processes()
    overrides = {
        **training.arguments,
        **_device(training.gpus, training.arguments.get("amp", True)),
        "data": str(training.data),
        "save_dir": str(training.folder),
        "exist_ok": True,
        "resume" if training.resumes else "model": str(training.start),
    }
    try:
        trainer = (OneOfSeveral if processes > 1 else Trainer)(overrides=overrides)
    except (TypeError, ValueError, SyntaxError) as error:
        raise InvalidError(f"spec.hyperparameters: {' '.join(str(error).split())}") from error
    return trainer


def _device(gpus: int, amp: Any) -> dict[str, Any]:
    """Where it runs, in which precision, and with how many processes that load pictures."""
    if gpus == 0:
        return {"device": "cpu", "amp": False, "workers": 0}
    found = torch.cuda.device_count()
    if found < gpus:
        raise MissingError(
            f"spec.compute.gpus is {gpus} and PyTorch finds {found or 'no'} GPU in the pod; "
            "the node's driver, or the image, does not fit"
        )
    if amp == "fp16":
        raise InvalidError(
            "spec.hyperparameters.extra.amp is fp16, whose check fetches weights from the network; "
            "bf16 or fp32 is wanted"
        )
    wanted = amp not in (False, "fp32")
    precision = "bf16" if wanted and torch.cuda.is_bf16_supported() else False
    workers = min(max(len(os.sched_getaffinity(0)) // gpus, 1), MOST_WORKERS)
    devices = ",".join(map(str, range(gpus)))
    return {"device": devices, "amp": precision, "workers": workers}


class _Start:
    """Gives the weights to the new model."""

    def __init__(self, weights: Weights, architecture: str) -> None:
        self._source = load_starting_point(weights.path)
        self._sha256 = weights.sha256
        self._architecture = architecture
        self.transfer: Transfer | None = None

    def __call__(self, model: Any) -> None:
        self.transfer = transfer(
            self._source, model, architecture=self._architecture, sha256=self._sha256
        )


class _Hooks:
    """What happens between batches and epochs.

    Args:
        record: where the pieces go.
        part: what a signal waits for the end of: a step, or the keeping of an epoch.
    """

    def __init__(self, record: Record, part: ExitStack) -> None:
        self._record = record
        self._part = part
        self._batches = 0
        self._validated = False

    def on_train_start(self, trainer: Any) -> None:
        logger.info(
            "training %d epochs on %d pictures, %s in %s",
            trainer.epochs - trainer.start_epoch,
            len(trainer.train_loader.dataset),
            trainer.device,
            trainer.args.amp or "fp32",
        )
        self._report_now()

    def on_train_epoch_start(self, _trainer: Any) -> None:
        self._batches = 0
        self._validated = False

    def on_train_batch_start(self, _trainer: Any) -> None:
        # Of several processes another one may have gone, and this one would wait for it.
        if number_of_processes() == 1:
            self._part.enter_context(unbroken())

    def on_train_batch_end(self, trainer: Any) -> None:
        self._batches += 1
        part = self._batches / len(trainer.train_loader)
        report = self._record.meter.batch(part, time.monotonic())
        if self._record.progress:
            self._record.progress.report(report)
        self._part.close()

    def on_val_batch_end(self, _validator: Any) -> None:
        """Say that it lives: a validation may take longer than an epoch."""
        if self._record.progress:
            report = self._record.meter.report(time.monotonic())
            self._record.progress.report(report)

    def on_val_end(self, _validator: Any) -> None:
        """An epoch that is validated is kept, whatever comes."""
        self._part.enter_context(unbroken())

    def on_model_save(self, trainer: Any) -> None:
        """Keep the epoch. The last one needs no checkpoint: its model is what comes out."""
        self._record.lock.check()
        point = self._record.curve.append(Path(trainer.csv))
        if not trainer.stop:
            self._record.checkpoints.save(
                epoch=trainer.epoch + 1,
                last=Path(trainer.last),
                # Ultralytics has written the same bytes to best.pt then.
                is_best=bool(trainer.best_fitness == trainer.fitness),
            )
        self._record.tracking.epoch(point)
        self._part.close()

    def on_fit_epoch_end(self, trainer: Any) -> None:
        if self._validated:
            return  # ultralytics calls it once more, after it has validated the best model
        self._validated = True
        metrics = read_metrics(trainer.metrics)
        report = self._record.meter.epoch(metrics, time.monotonic())
        logger.info(
            "epoch %d of %d: mAP50 %.3f, mAP50-95 %.3f, precision %.3f, recall %.3f",
            trainer.epoch + 1,
            trainer.epochs,
            *(value or 0.0 for value in _figures(metrics)),
        )
        if self._record.progress:
            self._record.progress.report(report, urgent=True)

    def _report_now(self) -> None:
        if self._record.progress:
            report = self._record.meter.report(time.monotonic())
            self._record.progress.report(report, urgent=True)


def _figures(metrics: Metrics) -> tuple[float | None, ...]:
    return metrics.map50, metrics.map50_95, metrics.precision, metrics.recall
