"""What the variants of a release find, beside the checkpoint that they were exported from.

    PYTHONPATH=.:local:tests .venv/bin/python -m benchmarks.variants

Trains the quickstart's coins and exports the model in each precision by the exporter's own program;
engines where TensorRT for RTX is installed. Prints what the training has found, in rectangles with
a margin, what the checkpoint finds in the square that a file takes, and what each variant's status
would say.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sealyard.api.answers import ExportResult, TrainResult
from sealyard.api.model_release import Platform, VariantSpec
from sealyard.api.tasks import ExportTask, Owner, Task
from sealyard.api.training_run import Hyperparameters, Metrics
from sealyard_exporter.judge import judge
from sealyard_trainer.dataset import read_dataset
from support.coins import write_coins
from support.job_programs import Pod
from support.training_jobs import RUN_PATH, train_task

_IMAGE_SIZE: Final = 128
_RTX: Final = "tensorrt_rtx_bindings"
_COINS: Final = Hyperparameters(
    epochs=20,
    image_size=_IMAGE_SIZE,
    batch=16,
    seed=0,
    optimizer="AdamW",
    extra={"lr0": 0.002, "cos_lr": True, "mosaic": 0.0, "nbs": 16, "plots": False},
)
"""As in examples/quickstart/training-run.yaml."""


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="sealyard-bench-") as name:
        folder = Path(name)
        write_coins(folder / "dataset", train=160, val=40)
        pod = Pod(folder / "pod", folder / "workspace", folder / "dataset")
        pod.root.mkdir()
        task = train_task(hyperparameters=_COINS)
        _run(pod, "sealyard-trainer", task)
        trained = TrainResult.model_validate(pod.answer().result)
        best = trained.artifacts[0]
        print(_row("training", trained.metrics, best.size_bytes, None), flush=True)
        file = folder / "workspace" / best.path
        dataset = read_dataset(folder / "dataset/coins", ("val",))
        square = judge(file, dataset, image_size=_IMAGE_SIZE, validated={})
        print(_row("checkpoint", square, best.size_bytes, None), flush=True)
        for variant in _variants():
            export = ExportTask(
                owner=Owner(namespace="default", name="coins-1.0.0", uid="release-1"),
                attempt=1,
                variant=variant,
                checkpoint_path=best.path,
                checkpoint_sha256=best.sha256,
                image_size=_IMAGE_SIZE,
                dataset_path="coins",
                run_path=RUN_PATH,
                release_path="default/coins-1.0.0",
                model="coins",
                version="1.0.0",
            )
            _run(pod, "sealyard-exporter", export)
            found = ExportResult.model_validate(pod.answer().result)
            print(_row(variant.name, found.metrics, found.size_bytes, found.max_difference))
    return 0


def _variants() -> list[VariantSpec]:
    variants = [
        VariantSpec(name=f"onnx-{precision}", format="onnx", precision=precision)
        for precision in ("fp32", "fp16", "int8")
    ]
    if find_spec(_RTX):
        variants += [
            each.model_copy(
                update={
                    "name": f"rtx-{each.precision}",
                    "format": "tensorrt-rtx",
                    "platform": Platform(compute_capability="8.9"),
                }
            )
            for each in variants
        ]
    return variants


def _run(pod: Pod, program: str, task: Task) -> None:
    process = pod.start(program, task)
    try:
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if code:
        raise SystemExit(f"{program} ended with {code}:\n{pod.log_file.read_text()[-2000:]}")


def _row(name: str, metrics: Metrics | None, size: int, difference: float | None) -> str:
    figures = (
        f"mAP50-95 {metrics.map50_95:.3f}, mAP50 {metrics.map50:.3f}" if metrics else "no figures"
    )
    apart = "" if difference is None else f", apart {difference:.2g}"
    return f"{name:12} {figures}{apart}, {size / 1e6:.2f} MB"


if __name__ == "__main__":
    sys.exit(main())
