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


def test_a_module_is_judged_as_the_file_is(
    offline: None, trained: Training, coins: Path, tmp_path: Path
) -> None:
    torch = importlib.import_module("torch")
    comparison, judge, onnx_export = (
        importlib.import_module(f"sealyard_exporter.{name}")
        for name in ("comparison", "judge", "onnx_export")
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
    by_module = judge.judge_module(
        module, validation, names={0: "coin"}, image_size=64, device="cpu", work=tmp_path
    )
    assert by_module == judge.judge(exported, validation, image_size=64)
    difference = comparison.compare(
        checkpoint, comparison.runs_module(module), image_size=64, dynamic=False, most=1e-3
    )
    assert 0 < difference < 1e-4
