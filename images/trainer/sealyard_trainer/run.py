"""One attempt at a training, from the task to the answer."""

from __future__ import annotations

import importlib.metadata
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealyard.api.answers import Answer, TrainResult, Transfer
from sealyard.api.tasks import RemoteFolder, TrainTask
from sealyard.api.training_run import Artifact, DatasetStatus
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.done import Done, parse_requested_at, remove_done, write_done
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.offline import work_offline
from sealyard.jobs.workspace import below
from sealyard_trainer.attempts import Attempt, note_attempt
from sealyard_trainer.curve import Curve, read_points
from sealyard_trainer.dataset import Dataset, read_dataset
from sealyard_trainer.dataset_check import Inspection, inspect
from sealyard_trainer.dataset_fetch import fetch_dataset
from sealyard_trainer.dataset_lock import Verdict, compare_with_lock, write_lock
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.hyperparameters import to_arguments
from sealyard_trainer.progress import Meter
from sealyard_trainer.progress_client import start_progress
from sealyard_trainer.run_folder import REPORT, RunFolder
from sealyard_trainer.tracking.tracking import Tracking
from sealyard_trainer.weights_file import fetch_weights

if TYPE_CHECKING:
    from sealyard_trainer.engine import Trained

MOST_GPUS = 1
PACKAGES = ("sealyard", "torch", "ultralytics-opencv-headless")

logger = logging.getLogger(__name__)


def run(task: TrainTask, mounts: Mounts) -> Answer:
    """Train, or give the answer of an earlier attempt that finished.

    Raises:
        SealyardError: see the exit codes of its classes.
        Interrupted: another pod has taken over.
    """
    arguments = to_arguments(task.hyperparameters)
    if task.gpus > MOST_GPUS:
        raise InvalidError(
            f"spec.compute.gpus is {task.gpus}; this release trains on {MOST_GPUS} at most"
        )
    requested_at = parse_requested_at(task.requested_at)
    folder = RunFolder(below(mounts.workspace, task.run_path), task.run_path)
    folder.open(mounts.workspace)

    done = folder.finished(requested_at)
    if done is not None and done.owner_uid == task.owner.uid:
        logger.info("this run is done already; its answer is given again")
        return _give_again(done, task, mounts, folder)

    lock = WorkspaceLock(folder.path, pod_uid())
    lock.take()
    dataset, inspection = _inspect(_dataset(task, mounts, folder, lock))
    inputs = {"dataset": inspection.digest, "software": software()}
    weights = task.weights.sha256 if task.weights else None
    if weights:
        inputs["weights"] = weights
    if done is not None and done.serves(owner_uid=task.owner.uid, inputs=inputs):
        logger.info("an earlier run had the same inputs; its result is adopted")
        return _give_again(done, task, mounts, folder)

    verdict = compare_with_lock(
        folder.path,
        inspection,
        owner_uid=task.owner.uid,
        software=inputs["software"],
        weights=weights,
        requested_at=requested_at,
    )
    remove_done(folder.path)
    if verdict is Verdict.FRESH:
        folder.void()
    write_lock(
        folder.path,
        inspection,
        owner_uid=task.owner.uid,
        software=inputs["software"],
        weights=weights,
    )
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=mounts.scratch) as private,
        Tracking(task, mounts, dataset_digest=inspection.digest, lock=lock) as tracking,
    ):
        view = Path(private, "dataset")
        view.mkdir()
        data = make_view(dataset, view)
        place = _Place(folder, lock, dataset, inspection, data, Path(private))
        result = _train(task, mounts, place, arguments, tracking)
    answer = Answer(message=_summary(task, result, tracking.failure), result=result.to_wire())
    write_done(folder.path, owner_uid=task.owner.uid, inputs=inputs, answer=answer)
    folder.tidy()
    return answer


def _give_again(done: Done, task: TrainTask, mounts: Mounts, folder: RunFolder) -> Answer:
    """The answer of what is done; MLflow, which may not know of it yet, is told the curve."""
    digest = TrainResult.model_validate(done.answer.result).dataset.digest
    with Tracking(task, mounts, dataset_digest=digest, lock=None) as tracking:
        tracking.begin(read_points(folder.curve), None)
    # Its pod may have died before it could do that, and this one may have fetched a dataset.
    folder.tidy()
    return done.answer


def software() -> str:
    """What the image trains with; another run's result is adopted only if it is the same."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


@dataclass(frozen=True, slots=True)
class _Place:
    """The run's folder, the right to write to it, and what is learnt from."""

    folder: RunFolder
    lock: WorkspaceLock
    dataset: Dataset
    inspection: Inspection
    data: Path
    """The data.yaml of the checked view."""
    private: Path
    """A folder of this attempt alone, which goes with it."""


def _dataset(task: TrainTask, mounts: Mounts, folder: RunFolder, lock: WorkspaceLock) -> Path:
    """The folder of data.yaml, mounted or fetched."""
    if task.dataset is not None:
        return _fetch(task, task.dataset, mounts, folder, lock)
    root = below(mounts.dataset, task.dataset_path)
    if not root.is_dir():
        raise MissingError(
            f"dataset: there is no folder {task.dataset_path or '/'} in the dataset's volume yet"
        )
    return root


def _fetch(
    task: TrainTask, remote: RemoteFolder, mounts: Mounts, folder: RunFolder, lock: WorkspaceLock
) -> Path:
    """Fetch the dataset, and say that this pod lives: that may take longer than an epoch."""
    meter = Meter(task.owner, epochs=task.hyperparameters.epochs, done=0, now=time.monotonic())
    # A run that has learnt something must not seem to be where it began.
    endpoint = None if folder.has_checkpoints else task.progress
    progress = start_progress(endpoint, mounts.progress_token)

    def alive() -> None:
        lock.check()
        if progress:
            progress.report(meter.report(time.monotonic()))

    try:
        return fetch_dataset(remote, mounts, folder.dataset, alive=alive)
    finally:
        if progress:
            progress.close()


def _inspect(root: Path) -> tuple[Dataset, Inspection]:
    started = time.monotonic()
    dataset = read_dataset(root)
    inspection = inspect(dataset)
    logger.info(
        "dataset: %s pictures, %s boxes, %d classes; digest %s (%.1f s)",
        _counts(inspection.pictures),
        _counts(inspection.boxes),
        len(dataset.names),
        inspection.digest,
        time.monotonic() - started,
    )
    return dataset, inspection


def _counts(counts: Mapping[str, int]) -> str:
    return " + ".join(f"{count} {split}" for split, count in sorted(counts.items()))


def _train(
    task: TrainTask,
    mounts: Mounts,
    place: _Place,
    arguments: Mapping[str, Any],
    tracking: Tracking,
) -> TrainResult:
    work_offline(mounts.scratch)
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    checkpoints = place.folder.checkpoints()
    checkpoint = checkpoints.newest()
    done_epochs = checkpoint.epoch if checkpoint else 0
    if checkpoint:
        logger.info("resuming after epoch %d", done_epochs)
    weights = None
    if task.weights and checkpoint is None:
        copied = fetch_weights(task.weights, mounts.weights, place.private)
        weights = engine.Weights(copied, task.weights.sha256)
    attempts = note_attempt(
        place.folder.path,
        Attempt(number=task.attempt, from_epoch=done_epochs, started_at=datetime.now(UTC)),
    )
    epochs = task.hyperparameters.epochs
    progress = start_progress(task.progress, mounts.progress_token)
    curve = Curve(place.folder.curve, epochs=done_epochs)
    tracking.begin(curve.points, place.folder.events)
    meter = Meter(task.owner, epochs=epochs, done=done_epochs, now=time.monotonic())
    training = engine.Training(
        model=task.model,
        arguments=arguments,
        data=place.data,
        gpus=task.gpus,
        folder=place.folder.make_work(place.lock.holder),
        checkpoints=checkpoints,
        curve=curve,
        lock=place.lock,
        meter=meter,
        progress=progress,
        tracking=tracking,
        weights=weights,
    )
    try:
        trained = engine.train(training, checkpoint)
        place.lock.check()
        if progress:
            progress.report(meter.finished(trained.metrics), urgent=True)
    finally:
        if progress:
            progress.close()
    artifacts = place.folder.keep_results(trained.best, training.folder)
    artifacts += _explain(
        task, mounts, place, arguments=arguments, attempts=attempts, trained=trained
    )
    inspection = place.inspection
    return TrainResult(
        epochs=trained.epochs,
        resumed_from_epoch=done_epochs or None,
        metrics=trained.metrics,
        dataset=DatasetStatus(digest=inspection.digest, images=sum(inspection.pictures.values())),
        weights=trained.transfer
        or (Transfer(sha256=task.weights.sha256) if task.weights else None),
        artifacts=artifacts,
    )


def _explain(
    task: TrainTask,
    mounts: Mounts,
    place: _Place,
    *,
    arguments: Mapping[str, Any],
    attempts: Sequence[Attempt],
    trained: Trained,
) -> list[Artifact]:
    """The report as an artifact; none if it could not be made, which fails no run."""
    from sealyard_trainer.report.making import Finished, make_report  # noqa: PLC0415 - as engine

    finished = Finished(
        task=task,
        arguments=arguments,
        dataset=place.dataset,
        inspection=place.inspection,
        epochs=trained.epochs,
        metrics=trained.metrics,
        attempts=attempts,
        trainer=trained.trainer,
        weights=place.folder.best,
        curve=place.folder.curve,
    )
    try:
        make_report(finished, place.folder.report, mounts.scratch)
        return [place.folder.artifact(REPORT)]
    except Exception:
        logger.exception("the report could not be made; the run is done without it")
        return []


def _summary(task: TrainTask, result: TrainResult, untold: str | None) -> str:
    figures = result.metrics
    reported = any(artifact.name == REPORT for artifact in result.artifacts)
    started = ""
    if task.weights and result.weights:
        named = task.weights.training_run or task.weights.path
        started = f", fine-tuned from {named}{result.weights.share}"
    return (
        f"trained {result.epochs} epochs on {result.dataset.images} pictures: "
        f"mAP50 {figures.map50 or 0:.3f}, mAP50-95 {figures.map50_95 or 0:.3f}{started}"
        f"{'' if reported else '; no report could be made, the log says why'}"
        f"{f'; {untold}' if untold else ''}"
    )
