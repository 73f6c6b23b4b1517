"""One export, from the task to the answer."""

from __future__ import annotations

import importlib.metadata
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from sealyard.api.answers import Answer, ExportResult
from sealyard.api.digests import structure_sha256
from sealyard.api.tasks import ExportTask
from sealyard.api.training_run import Metrics
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.done import read_done, remove_done, write_done
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.offline import work_offline
from sealyard.jobs.workspace import (
    below,
    copy_atomic,
    hash_file,
    make_folder,
    remove_temporaries,
)
from sealyard_exporter.validation_set import evenly_spaced, pinned_validation_set
from sealyard_trainer.dataset import Dataset

MODEL_FILE = "model.onnx"
DEFAULT_OPSET = 18
PACKAGES = ("sealyard", "onnx", "torch", "ultralytics-opencv-headless")

logger = logging.getLogger(__name__)


def run(task: ExportTask, mounts: Mounts) -> Answer:
    """Export the task's variant, or give the answer of an earlier attempt that finished.

    Raises:
        MissingError: the checkpoint is not in the workspace, or the dataset is gone.
        IntegrityError: the checkpoint or the validation set is another one, or the export computes
            something else.
        InvalidError: the model cannot be exported this way.
    """
    folder = below(mounts.workspace, f"{task.release_path}/exports/{task.variant.name}")
    make_folder(folder, mounts.workspace)
    remove_temporaries(folder)
    inputs = _inputs(task)
    if (answer := _finished(folder, inputs)) is not None:
        logger.info("this export is done already; its answer is given again")
        return answer
    validation = pinned_validation_set(task, mounts)
    lock = WorkspaceLock(folder, pod_uid())
    lock.take()
    remove_done(folder)
    work_offline(mounts.scratch)
    with tempfile.TemporaryDirectory(prefix="export-", dir=mounts.scratch) as work:
        checkpoint = _fetch_checkpoint(task, mounts, Path(work))
        result = _export(task, checkpoint, folder, lock, validation)
    answer = Answer(message=_summary(result), result=result.to_wire())
    write_done(folder, owner_uid=task.owner.uid, inputs=inputs, answer=answer)
    return answer


def _inputs(task: ExportTask) -> dict[str, str]:
    """What the bytes of an export depend on."""
    return {
        "checkpoint": task.checkpoint_sha256,
        "imageSize": str(task.image_size),
        "release": f"{task.model} {task.version}",
        "software": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        "variant": structure_sha256(task.variant.to_wire()),
    }


def _finished(folder: Path, inputs: Mapping[str, str]) -> Answer | None:
    done = read_done(folder)
    if done is None or done.inputs != inputs:
        return None
    try:
        result = ExportResult.model_validate(done.answer.result)
        digest = hash_file(folder / MODEL_FILE)
    except (ValidationError, OSError, IntegrityError):
        return None
    whole = (digest.sha256, digest.size_bytes) == (result.sha256, result.size_bytes)
    return done.answer if whole else None


def _fetch_checkpoint(task: ExportTask, mounts: Mounts, work: Path) -> Path:
    """A private copy, hashed as it was copied: what is loaded is what was checked."""
    target = work / "checkpoint.pt"
    try:
        digest = copy_atomic(below(mounts.workspace, task.checkpoint_path), target)
    except FileNotFoundError as error:
        raise MissingError(
            f"{task.checkpoint_path} is not in the workspace; the run's folder has lost it"
        ) from error
    if digest.sha256 != task.checkpoint_sha256:
        raise IntegrityError(
            f"{task.checkpoint_path} has the SHA-256 {digest.sha256}, and the run reported "
            f"{task.checkpoint_sha256}; it was changed after the training"
        )
    return target


def _export(
    task: ExportTask, checkpoint: Path, folder: Path, lock: WorkspaceLock, validation: Dataset
) -> ExportResult:
    from sealyard_exporter import comparison, judge, onnx_export, precision  # noqa: PLC0415 - after work_offline

    request = onnx_export.Request(
        checkpoint=checkpoint,
        image_size=task.image_size,
        dynamic=bool(task.variant.dynamic),
        opset=task.variant.opset or DEFAULT_OPSET,
        facts={
            "sealyard.checkpointSha256": task.checkpoint_sha256,
            "sealyard.model": task.model,
            "sealyard.precision": task.variant.precision,
            "sealyard.version": task.version,
            "sealyard.variant": task.variant.name,
        },
    )
    exported = onnx_export.export(request)
    precision.convert(
        exported,
        task.variant.precision,
        evenly_spaced(validation, precision.CALIBRATION_PICTURES),
        task.image_size,
    )
    difference = comparison.compare(
        checkpoint,
        exported,
        image_size=task.image_size,
        dynamic=request.dynamic,
        most=comparison.MOST_DIFFERENCE[task.variant.precision],
    )
    metrics = judge.judge(exported, validation, image_size=task.image_size)
    lock.check()
    digest = copy_atomic(exported, folder / MODEL_FILE)
    return ExportResult(
        variant=task.variant.name,
        path=f"{task.release_path}/exports/{task.variant.name}/{MODEL_FILE}",
        sha256=digest.sha256,
        size_bytes=digest.size_bytes,
        max_difference=difference,
        metrics=metrics,
    )


def _summary(result: ExportResult) -> str:
    return (
        f"exported {result.variant}: {result.size_bytes} bytes, "
        f"at most {result.max_difference:.1e} from the checkpoint, {_figures(result.metrics)}"
    )


def _figures(metrics: Metrics | None) -> str:
    """What the file reached."""
    found = metrics or Metrics()
    return f"mAP50 {found.map50 or 0:.3f}, mAP50-95 {found.map50_95 or 0:.3f}"
