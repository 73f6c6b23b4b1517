"""One export, from the task to the answer."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from sealyard.api.answers import Answer, ExportResult
from sealyard.api.digests import structure_sha256
from sealyard.api.model_release import VariantFormat, VariantSpec
from sealyard.api.tasks import ExportTask
from sealyard.api.training_run import Metrics
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.done import DONE_FILE, read_done, remove_done, write_done
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
from sealyard_exporter.remote_workspace import kept
from sealyard_exporter.validation_set import pinned_validation_set
from sealyard_trainer.dataset import Dataset

DATASET = "dataset"
"""What was fetched of a dataset that lies elsewhere, while the export is not done."""
PACKAGES = ("sealyard", "onnx", "torch", "ultralytics-opencv-headless")
ENGINE_PACKAGES: Mapping[VariantFormat, tuple[str, ...]] = {
    "onnx": (),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx-cu13-bindings",),
}
"""What builds the engine of a format, where it is installed."""
ON_ONNX = "; measured on the ONNX file that it was built from, as no such GPU was here to run it"

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

    def lasting() -> list[str]:
        names = (DONE_FILE, model_file(task.variant))
        return [name for name in names if (folder / name).exists()]

    # Before anybody could tell the copy of a folder in a store that another pod has it.
    lock = WorkspaceLock(folder, pod_uid())
    lock.take()
    with kept(task, mounts, folder, lasting):
        return _attempt(task, mounts, folder, lock)


def _attempt(task: ExportTask, mounts: Mounts, folder: Path, lock: WorkspaceLock) -> Answer:
    lock.check()
    inputs = _inputs(task)
    if (answer := _finished(folder, task.variant, inputs)) is not None:
        logger.info("this export is done already; its answer is given again")
        return answer
    validation = pinned_validation_set(task, mounts, folder / DATASET, alive=lock.check)
    remove_done(folder)
    work_offline(mounts.scratch)
    with tempfile.TemporaryDirectory(prefix="export-", dir=mounts.scratch) as work:
        checkpoint = _fetch_checkpoint(task, mounts, Path(work))
        result = _export(task, checkpoint, folder, lock, validation)
    answer = Answer(message=_summary(result), result=result.to_wire())
    lock.check()
    write_done(folder, owner_uid=task.owner.uid, inputs=inputs, answer=answer)
    lock.check()
    shutil.rmtree(folder / DATASET, ignore_errors=True)
    return answer


def _inputs(task: ExportTask) -> dict[str, str]:
    """What the bytes of an export depend on."""
    return {
        "checkpoint": task.checkpoint_sha256,
        "imageSize": str(task.image_size),
        "release": f"{task.model} {task.version}",
        "software": ", ".join(_software(task.variant)),
        "variant": structure_sha256(task.variant.to_wire()),
    }


def _software(variant: VariantSpec) -> Iterator[str]:
    for name in PACKAGES:
        yield f"{name} {importlib.metadata.version(name)}"
    for name in ENGINE_PACKAGES[variant.format]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield f"{name} {importlib.metadata.version(name)}"


def model_file(variant: VariantSpec) -> str:
    """What the exported file is called in its folder."""
    return "model.engine" if variant.is_engine else "model.onnx"


def _finished(folder: Path, variant: VariantSpec, inputs: Mapping[str, str]) -> Answer | None:
    done = read_done(folder)
    if done is None or done.inputs != inputs:
        return None
    try:
        result = ExportResult.model_validate(done.answer.result)
        digest = hash_file(folder / model_file(variant))
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
    from sealyard_exporter import making  # noqa: PLC0415 - after work_offline
    from sealyard_exporter.engine import making as engine  # noqa: PLC0415 - likewise

    variant = task.variant
    # What keeps an engine from being built is said before anything takes its time.
    plan = engine.plan(variant) if variant.is_engine else None
    made = making.make_onnx(task, checkpoint, validation)
    if plan:
        made = engine.make(plan, made, checkpoint, validation, task)
    lock.check()
    name = model_file(variant)
    digest = copy_atomic(made.path, folder / name)
    return ExportResult(
        variant=variant.name,
        path=f"{task.release_path}/exports/{variant.name}/{name}",
        sha256=digest.sha256,
        size_bytes=digest.size_bytes,
        max_difference=made.max_difference,
        metrics=made.metrics,
        figures_of=made.figures_of,
        platform=made.platform,
    )


def _summary(result: ExportResult) -> str:
    return (
        f"exported {result.variant}: {result.size_bytes} bytes, "
        f"at most {result.max_difference:.1e} from the checkpoint, {_figures(result.metrics)}"
        f"{ON_ONNX if result.figures_of == 'onnx' else ''}"
    )


def _figures(metrics: Metrics | None) -> str:
    """What the file reached."""
    found = metrics or Metrics()
    return f"mAP50 {found.map50 or 0:.3f}, mAP50-95 {found.map50_95 or 0:.3f}"
