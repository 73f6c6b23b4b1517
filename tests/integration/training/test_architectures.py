"""What the operator lets through, the trainer finds."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from sealyard.api.training_run import ModelScale, ModelSpec
from sealyard.core.ultralytics_data import ARCHITECTURES
from sealyard.errors import InvalidError
from support.job_programs import TIMEOUT_SECONDS

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]


@pytest.fixture(scope="module")
def architecture(offline: None) -> ModuleType:
    """The module, imported as the trainer does it."""
    return importlib.import_module("sealyard_trainer.architecture")


def write(architecture: ModuleType, folder: Path, name: str, **scale: float) -> dict[str, object]:
    model = ModelSpec(architecture=name, scale=ModelScale(**scale) if scale else None)
    path = architecture.write_architecture(model, folder)
    assert path.name == name
    document: dict[str, object] = yaml.safe_load(path.read_text())
    return document


def test_every_architecture_that_the_operator_knows_is_found(
    architecture: ModuleType, tmp_path: Path
) -> None:
    for name in ARCHITECTURES:
        assert "head" in write(architecture, tmp_path, name)


@pytest.mark.parametrize(
    ("name", "scale", "scales"),
    [
        ("yolo11n.yaml", {}, {"n": [0.5, 0.25, 1024]}),
        ("yolo11n.yaml", {"width": 0.5}, {"n": [0.5, 0.125, 1024]}),
        ("yolo11n.yaml", {"depth": 2, "width": 0.5}, {"n": [1.0, 0.125, 1024]}),
        ("yolov8x.yaml", {"depth": 0.5}, {"x": [0.5, 1.25, 512]}),
    ],
)
def test_a_scale_multiplies_the_architectures_own(
    architecture: ModuleType,
    tmp_path: Path,
    name: str,
    scale: dict[str, float],
    scales: dict[str, list[float]],
) -> None:
    assert write(architecture, tmp_path, name, **scale)["scales"] == scales


def test_an_architecture_without_scales_gets_multiples(
    architecture: ModuleType, tmp_path: Path
) -> None:
    document = write(architecture, tmp_path, "yolov9t.yaml", width=0.5)
    assert (document["depth_multiple"], document["width_multiple"]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yolo99n.yaml", "ultralytics ships no such architecture"),
        ("yolo11z.yaml", "ultralytics ships no such architecture"),
        ("yolo11n-cls.yaml", "ends in Classify; a detection architecture"),
        ("rtdetr-l.yaml", "ends in RTDETRDecoder; a detection architecture"),
    ],
)
def test_what_is_no_detection_architecture(
    architecture: ModuleType, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        write(architecture, tmp_path, name)
