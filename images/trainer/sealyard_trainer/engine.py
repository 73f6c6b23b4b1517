"""Drives ultralytics' trainer, and does between its epochs what makes a run survive.

This is the only module that is imported after `work_offline`, because importing ultralytics reads
the environment.
"""

from __future__ import annotations

import logging
import math
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
from sealyard.api.progress import ProgressReport
from sealyard.api.training_run import Metrics, ModelSpec
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.process import unbroken
from sealyard_trainer.background import Background
from sealyard_trainer.checkpoints import Checkpoints
from sealyard_trainer.curve import Curve
from sealyard_trainer.figures import read_metrics
from sealyard_trainer.gpu_memory import refusal
from sealyard_trainer.keeping import Epoch, Keeper
from sealyard_trainer.node_files import bring
from sealyard_trainer.progress import Meter
from sealyard_trainer.progress_client import ProgressClient
from sealyard_trainer.several import OneOfSeveral, join, leave, number_of_processes
from sealyard_trainer.starting_point import load_starting_point, transfer
from sealyard_trainer.tracking.tracking import Tracking
from sealyard_trainer.ultralytics_trainer import Trainer

INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
MOST_WORKERS = 8
REPORT_SECONDS = 1.0
"""From one report to the next within an epoch; fewer of them are sent."""
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
    has_copies: bool = False
    """Whether other nodes have a folder of their own, which this one's files are brought to."""
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


def meet(gpus: int, told: Path) -> None:
    """Join the processes of other nodes, which have a folder of their own.

    Args:
        gpus: of this node.
        told: the file that says what all begin with; it is brought to the other nodes.

    Raises:
        MissingError: there are not so many GPUs.
    """
    _check_gpus(gpus)
    join(gpus)
    bring(told)


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
    if training.has_copies:
        bring(training.start)
    trainer = _trainer(training)
    start = None
    if training.weights and not training.resumes:
        start = _Start(training.weights, training.model.architecture)
    trainer.on_new_model = start
    with ExitStack() as part, Background() as background:
        if record is not None:
            trainer.settle = background.wait
            hooks = _Hooks(record, background, _keeper(record, background, trainer), part)
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
    if processes > 1:
        trainer.has_copies = training.has_copies
    return trainer


def _keeper(record: Record, background: Background, trainer: Any) -> Keeper:
    return Keeper(
        checkpoints=record.checkpoints,
        curve=record.curve,
        lock=record.lock,
        tracking=record.tracking,
        background=background,
        last=Path(trainer.last),
        best=Path(trainer.best),
    )


def _device(gpus: int, amp: Any) -> dict[str, Any]:
    """Where it runs, in which precision, and with how many processes that load pictures."""
    if gpus == 0:
        return {"device": "cpu", "amp": False, "workers": 0}
    _check_gpus(gpus)
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


def _check_gpus(gpus: int) -> None:
    found = torch.cuda.device_count() if gpus else 0
    if found < gpus:
        raise MissingError(
            f"spec.compute.gpus is {gpus} and PyTorch finds {found or 'no'} GPU in the pod; "
            "the node's driver, or the image, does not fit"
        )


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
        background: in which an epoch is kept.
        keeper: keeps it.
        part: what a signal waits for the end of: a step, or the keeping of an epoch.
    """

    def __init__(
        self, record: Record, background: Background, keeper: Keeper, part: ExitStack
    ) -> None:
        self._record = record
        self._background = background
        self._keeper = keeper
        self._part = part
        self._batches = 0
        self._reported = -math.inf
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
        # A disk that is full, or a newer pod, is no reason to train to the end of the epoch.
        self._background.check()
        now = time.monotonic()
        if self._is_due(now):
            part = self._batches / len(trainer.train_loader)
            self._report(self._record.meter.batch(part, now))
        self._part.close()

    def on_val_batch_end(self, _validator: Any) -> None:
        """Say that it lives: a validation may take longer than an epoch."""
        now = time.monotonic()
        if self._is_due(now):
            self._report(self._record.meter.report(now))

    def on_val_end(self, _validator: Any) -> None:
        """An epoch that is validated is kept, whatever comes."""
        self._part.enter_context(unbroken())

    def on_model_save(self, trainer: Any) -> None:
        """Have the epoch kept, beside the next one."""
        self._record.lock.check()
        self._keeper.keep(
            Epoch(
                number=trainer.epoch + 1,
                document=trainer.take_document(),
                point=self._record.curve.append(Path(trainer.csv)),
                # Ultralytics has it in best.pt then.
                is_best=bool(trainer.best_fitness == trainer.fitness),
                is_last=bool(trainer.stop),
            )
        )
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
        self._report(report, urgent=True)

    def _is_due(self, now: float) -> bool:
        """Whether somebody wants another report: a GPU trains more batches than are told."""
        if self._record.progress is None or now - self._reported < REPORT_SECONDS:
            return False
        self._reported = now
        return True

    def _report(self, report: ProgressReport, *, urgent: bool = False) -> None:
        if self._record.progress:
            self._record.progress.report(report, urgent=urgent)

    def _report_now(self) -> None:
        self._report(self._record.meter.report(time.monotonic()), urgent=True)


def _figures(metrics: Metrics) -> tuple[float | None, ...]:
    return metrics.map50, metrics.map50_95, metrics.precision, metrics.recall
