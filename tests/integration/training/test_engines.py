"""Engines from the task to the answer, on a machine that has no GPU to run them on."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.model_release import Platform, VariantFormat
from sealyard.jobs.mounts import Mounts
from sealyard_exporter.engine.file import parted
from sealyard_exporter.engine.library import MODULES
from sealyard_trainer.data_yaml import VALIDATION_SPLIT
from sealyard_trainer.dataset import Dataset, read_dataset
from support.export_jobs import export, export_task, variant
from support.job_programs import TIMEOUT_SECONDS
from support.training_jobs import MakePod, Training

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

ABSOLUTE_PATH = re.compile(rb"/(?:tmp|home|root|work|workspace|dataset|usr|opt)/")
AMPERE = {"computeCapability": "8.6"}
HAS_RTX = all(find_spec(name) for name in MODULES["tensorrt-rtx"])
WITH_RTX = pytest.mark.skipif(
    not HAS_RTX, reason="needs TensorRT for RTX: rm .venv/.ready; make test LEFT_OUT="
)


@pytest.fixture(scope="module")
def workspace(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished run in it."""
    return Path(
        shutil.copytree(trained.pod.workspace, tmp_path_factory.mktemp("engines") / "workspace")
    )


def rtx(name: str, precision: str) -> Any:
    return variant(name, format="tensorrt-rtx", precision=precision, platform=AMPERE)


@WITH_RTX
def test_an_engine_is_built_for_a_gpu_that_is_not_here(
    workspace: Path, make_pod: MakePod, trained: Training
) -> None:
    pod, task = make_pod(workspace), export_task(trained, variant=rtx("edge", "fp16"))
    result = export(pod, task)
    assert result.path == "coins-1-abcdef0123/exports/edge/model.engine"
    assert result.platform == Platform(
        arch="x86_64",
        compute_capability="8.6",
        runtime="tensorrt-rtx",
        runtime_version=version("tensorrt-rtx-cu13-bindings"),
    )
    # Its figures are those of the ONNX file, and that is said where anybody looks.
    assert result.figures_of == "onnx"
    assert pod.answer().message.endswith("as no such GPU was here to run it")
    assert result.metrics is not None
    assert result.metrics.map50 is not None

    content = (workspace / result.path).read_bytes()
    metadata, engine = parted(content)
    assert ast.literal_eval(metadata["names"]) == {0: "coin"}
    assert (metadata["task"], metadata["stride"]) == ("detect", "32")
    assert metadata["sealyard.checkpointSha256"] == trained.result.artifacts[0].sha256
    assert metadata["sealyard.precision"] == "fp16"
    assert len(engine) > 100_000
    assert not ABSOLUTE_PATH.search(content)
    assert {path for path in pod.watched("network") if "(" in path} == set()

    (workspace / result.path).unlink()
    again = export(make_pod(workspace), task.model_copy(update={"attempt": 2}))
    assert again == result


@WITH_RTX
def test_eight_bits_become_an_engine(workspace: Path, make_pod: MakePod, trained: Training) -> None:
    result = export(make_pod(workspace), export_task(trained, variant=rtx("int8", "int8")))
    assert result.figures_of == "onnx"


@WITH_RTX
def test_a_gpu_that_the_library_does_not_know(
    workspace: Path, make_pod: MakePod, trained: Training
) -> None:
    hopper = variant("hopper", format="tensorrt-rtx", platform={"computeCapability": "9.0"})
    pod = make_pod(workspace)
    assert pod.run("sealyard-exporter", export_task(trained, variant=hopper)) == 64
    assert pod.answer().message.startswith(
        "spec.variants[hopper].platform.computeCapability: 9.0 is none that tensorrt-rtx 1."
    )
    assert "8.6, 8.9, 12.0" in pod.answer().message


@pytest.mark.parametrize("kind", ["tensorrt", "tensorrt-rtx"])
def test_without_the_library_the_image_is_named(
    workspace: Path, make_pod: MakePod, trained: Training, kind: VariantFormat
) -> None:
    if all(find_spec(name) for name in MODULES[kind]):
        pytest.skip(f"{kind} is installed")
    pod = make_pod(workspace)
    missing = variant("missing", format=kind, platform=AMPERE)
    assert pod.run("sealyard-exporter", export_task(trained, variant=missing)) == 66
    assert pod.answer().message.startswith(f"the exporter's image has no {kind}: ")


def in_two_classes(folder: Path, copy: Path) -> Dataset:
    """The same validation set, but that every other box is of a second class."""
    shutil.copytree(folder, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for label in (copy / "labels/val").glob("*.txt"):
        boxes = [line.partition(" ")[2] for line in label.read_text().splitlines()]
        label.write_text("".join(f"{place % 2} {box}\n" for place, box in enumerate(boxes)))
    data = copy / "data.yaml"
    data.write_text(data.read_text() + "  1: cent\n")
    return read_dataset(copy, (VALIDATION_SPLIT,))


def test_a_module_is_judged_as_the_file_is(
    offline: None, trained: Training, coins: Path, tmp_path: Path
) -> None:
    torch = importlib.import_module("torch")
    comparison, judge, onnx_export, validated = (
        importlib.import_module(f"sealyard_exporter.{name}")
        for name in ("comparison", "judge", "onnx_export", "validated")
    )
    sets = importlib.import_module("sealyard_exporter.validation_set")
    validation = sets.pinned_validation_set(
        export_task(trained),
        Mounts(workspace=trained.pod.workspace, dataset=coins),
        tmp_path / "fetched",
        alive=lambda: None,
    )
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes((trained.folder / "best.pt").read_bytes())
    exported = onnx_export.export(
        onnx_export.Request(checkpoint=checkpoint, image_size=64, dynamic=False, opset=18, facts={})
    )
    run = comparison.runs_onnx(exported)

    class OnnxModule(torch.nn.Module):  # type: ignore[misc,name-defined]
        """What an engine is to the judge: a module that gives the raw output."""

        def forward(self, pixels: Any) -> Any:
            return torch.from_numpy(run(pixels.numpy()))

    module = OnnxModule()
    rules = validated.as_validated(checkpoint)
    by_default = {"single_cls": False, "conf": None, "iou": 0.7, "max_det": 300, "fraction": 1.0}
    assert rules == by_default
    of_module = {"names": {0: "coin"}, "device": "cpu", "work": tmp_path}
    alike = {"image_size": 64, "validated": rules}
    by_module = judge.judge_module(module, validation, **of_module, **alike)
    assert by_module == judge.judge(exported, validation, **alike)

    # A run with single_cls has learnt one class of many, and so its exports know one.
    sorted_coins = in_two_classes(coins / "coins", tmp_path / "sorted")
    alike["validated"] = rules | {"single_cls": True}
    assert judge.judge(exported, sorted_coins, **alike) == by_module
    assert judge.judge_module(module, sorted_coins, **of_module, **alike) == by_module
    difference = comparison.compare(
        checkpoint, comparison.runs_module(module), image_size=64, dynamic=False, most=1e-3
    )
    assert 0 < difference < 1e-4
