"""The judge of an export tells a faithful one from one that is off by a little."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sealyard.errors import IntegrityError
from support.job_programs import TIMEOUT_SECONDS
from support.training_jobs import Training

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

SIZE = 64
AS_EXPORTED = {"image_size": SIZE, "dynamic": False, "most": 1e-3}


@pytest.fixture(scope="module")
def comparison(offline: None) -> ModuleType:
    """The module, imported as the exporter does it."""
    return importlib.import_module("sealyard_exporter.comparison")


@pytest.fixture(scope="module")
def exported(offline: None, trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's model as ONNX, without the program around it."""
    module = importlib.import_module("sealyard_exporter.onnx_export")
    checkpoint = tmp_path_factory.mktemp("export") / "checkpoint.pt"
    checkpoint.write_bytes((trained.folder / "best.pt").read_bytes())
    request = module.Request(
        checkpoint=checkpoint, image_size=SIZE, dynamic=False, opset=18, facts={}
    )
    path: Path = module.export(request)
    return path


def nudge_the_weights(model: onnx.ModelProto) -> None:
    """Make all convolutions a little stronger: one alone may not matter to so short a training."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 4:
            tensor.CopyFrom(numpy_helper.from_array(values * np.float32(1.05), tensor.name))


def break_a_weight(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 4:
            tensor.CopyFrom(numpy_helper.from_array(values * np.float32("nan"), tensor.name))
            return


def rename_the_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "pictures"


def test_a_faithful_export_is_close(
    comparison: ModuleType, trained: Training, exported: Path
) -> None:
    best = trained.folder / "best.pt"
    run = comparison.runs_onnx(exported)
    differences = {comparison.compare(best, run, **AS_EXPORTED) for _ in range(2)}
    assert len(differences) == 1
    assert 0 < differences.pop() < 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nudge_the_weights, "the export differs from the checkpoint by .*; at most 0.001 is right"),
        (break_a_weight, "the export differs from the checkpoint by inf"),
        (rename_the_input, "the export does not run: "),
    ],
)
def test_one_that_computes_something_else_is_refused(
    comparison: ModuleType,
    trained: Training,
    exported: Path,
    change: Callable[[onnx.ModelProto], None],
    message: str,
) -> None:
    model = onnx.load(str(exported))
    change(model)
    other = exported.with_name("other.onnx")
    onnx.save(model, str(other))
    with pytest.raises(IntegrityError, match=message):
        comparison.compare(trained.folder / "best.pt", comparison.runs_onnx(other), **AS_EXPORTED)
