"""What is left of an attempt once its inputs are looked at: train, keep what came out, explain it.

One process does it, or several do, and then this is given to each of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealyard.annotations.lineage import LINEAGE_FILE
from sealyard.api.answers import TrainResult, Transfer
from sealyard.api.dataset import AnnotationsStatus, DatasetStatus
from sealyard.api.tasks import TrainTask
from sealyard.api.training_run import Artifact
from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import copy_atomic
from sealyard_trainer.attempts import Attempt
from sealyard_trainer.checkpoints import Checkpoint
from sealyard_trainer.curve import Curve
from sealyard_trainer.dataset import Dataset
from sealyard_trainer.dataset_check import Inspection
from sealyard_trainer.liveness import repeating
from sealyard_trainer.progress import Meter
from sealyard_trainer.progress_client import start_progress
from sealyard_trainer.run_folder import REPORT, RunFolder
from sealyard_trainer.shared_start import SHARED_FILE
from sealyard_trainer.tracking.tracking import Tracking

if TYPE_CHECKING:
    from sealyard_trainer.engine import Trained, Training

logger = logging.getLogger(__name__)


Outcome = tuple[TrainResult, str | None]
"""What came out, and what of it could not be told to a tracker."""


@dataclass(frozen=True, slots=True)
class Place:
    """The run's folder, the right to write to it, and what is learnt from."""

    folder: RunFolder
    lock: WorkspaceLock
    dataset: Dataset
    inspection: Inspection
    data: Path
    """The data.yaml of the checked view."""
    private: Path
    """A folder of this attempt alone, which goes with it."""
    annotations: AnnotationsStatus | None = None
    """What it is made of, where a route has filed it; the list lies in the run's folder."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is left once the inputs are looked at: one process does it, or several do."""

    task: TrainTask
    mounts: Mounts
    place: Place
    arguments: Mapping[str, Any]
    checkpoint: Checkpoint | None
    weights: Path | None
    """A copy of what is fine-tuned, where there is no checkpoint yet."""
    attempts: Sequence[Attempt]
    work: Path
    """Ultralytics' own folder."""
    start: Path
    """The file in it that ultralytics begins with."""


def support(assignment: Assignment) -> None:
    """Train beside the first of several processes, and write nothing."""
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    _meet(assignment)
    engine.train(_training(assignment), None)


def lead(assignment: Assignment) -> Outcome:
    """Train, alone or as the first of several; keep what came out, and explain it."""
    _meet(assignment)
    place = assignment.place
    with Tracking(
        assignment.task,
        assignment.mounts,
        dataset_digest=place.inspection.digest,
        lock=place.lock,
    ) as tracking:
        result = _record(assignment, tracking)
    return result, tracking.failure


def _meet(assignment: Assignment) -> None:
    """Tell the processes of other nodes what they begin with, if they share no folder."""
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    if assignment.task.has_copies:
        engine.meet(assignment.task.gpus, assignment.place.folder.path / SHARED_FILE)


def _record(assignment: Assignment, tracking: Tracking) -> TrainResult:
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    task, mounts, place = assignment.task, assignment.mounts, assignment.place
    done_epochs = assignment.checkpoint.epoch if assignment.checkpoint else 0
    epochs = task.hyperparameters.epochs
    progress = start_progress(task.progress, mounts.progress_token)
    curve = Curve(place.folder.curve, epochs=done_epochs)
    tracking.begin(curve.points, place.folder.events)
    meter = Meter(task.owner, epochs=epochs, done=done_epochs, now=time.monotonic())
    training = _training(assignment)
    record = engine.Record(
        checkpoints=place.folder.checkpoints(),
        curve=curve,
        lock=place.lock,
        meter=meter,
        progress=progress,
        tracking=tracking,
    )
    try:
        trained = engine.train(training, record)
        with repeating(progress, meter.finished(trained.metrics)):
            place.lock.check()
            artifacts = place.folder.keep_results(trained.best, training.folder)
            artifacts += _explain(assignment, trained)
    finally:
        if progress:
            progress.close()
    if place.annotations is not None:
        artifacts.append(place.folder.artifact(LINEAGE_FILE))
    inspection = place.inspection
    return TrainResult(
        epochs=trained.epochs,
        resumed_from_epoch=done_epochs or None,
        metrics=trained.metrics,
        dataset=DatasetStatus(
            digest=inspection.digest,
            images=sum(inspection.pictures.values()),
            annotations=place.annotations,
        ),
        weights=trained.transfer
        or (Transfer(sha256=task.weights.sha256) if task.weights else None),
        artifacts=artifacts,
    )


def _training(assignment: Assignment) -> Training:
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    task, weights = assignment.task, assignment.weights
    return engine.Training(
        model=task.model,
        arguments=assignment.arguments,
        data=assignment.place.data,
        gpus=task.gpus,
        folder=assignment.work,
        start=assignment.start,
        resumes=assignment.checkpoint is not None,
        has_copies=task.has_copies,
        weights=engine.Weights(weights, task.weights.sha256) if weights and task.weights else None,
    )


def _explain(assignment: Assignment, trained: Trained) -> list[Artifact]:
    """The report as an artifact; none if it could not be made, which fails no run."""
    from sealyard_trainer.report.making import Finished, make_report  # noqa: PLC0415 - as engine

    place = assignment.place
    finished = Finished(
        task=assignment.task,
        arguments=assignment.arguments,
        dataset=place.dataset,
        inspection=place.inspection,
        epochs=trained.epochs,
        metrics=trained.metrics,
        attempts=assignment.attempts,
        trainer=trained.trainer,
        weights=place.folder.best,
        curve=place.folder.curve,
    )
    try:
        made = place.private / REPORT
        make_report(finished, made, assignment.mounts.scratch)
        # It takes minutes, in which another pod may have begun.
        place.lock.check()
        copy_atomic(made, place.folder.report)
        return [place.folder.artifact(REPORT)]
    except Exception:
        logger.exception("the report could not be made; the run is done without it")
        return []
