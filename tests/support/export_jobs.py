"""Export tasks of what a training left, and the real exporter that carries them out."""

from __future__ import annotations

from typing import Any

from sealyard.api.answers import ExportResult
from sealyard.api.model_release import VariantSpec
from sealyard.api.tasks import ExportTask, Owner
from support.job_programs import Pod
from support.training_jobs import RUN_PATH, Training


def export_task(trained: Training, **changes: Any) -> ExportTask:
    """A task to export the run, of which a test changes what it is about."""
    best = trained.result.artifacts[0]
    task = ExportTask(
        owner=Owner(namespace="default", name="coins-1", uid="release-1"),
        attempt=1,
        variant=VariantSpec(name="edge", format="onnx", precision="fp32"),
        checkpoint_path=best.path,
        checkpoint_sha256=best.sha256,
        image_size=64,
        run_path=RUN_PATH,
        dataset_path="coins",
        release_path="coins-1-abcdef0123",
        model="coins",
        version="1.0.0",
    )
    return task.model_copy(update=changes)


def variant(name: str, **changes: Any) -> VariantSpec:
    """A variant of its own, so that tests do not meet in one folder."""
    return VariantSpec.model_validate(
        {"name": name, "format": "onnx", "precision": "fp32", **changes}
    )


def export(pod: Pod, task: ExportTask) -> ExportResult:
    """Export, and give the result."""
    assert pod.run("sealyard-exporter", task) == 0, pod.log_file.read_text()
    return ExportResult.model_validate(pod.answer().result)
