"""What a GPU trained is exported like any other: the figures of the file are the checkpoint's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealyard.api.model_release import VariantSpec
from support.export_jobs import export, export_task
from support.job_programs import TIMEOUT_SECONDS
from support.training_jobs import MakePod, Training

pytestmark = [pytest.mark.gpu, pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]


@pytest.fixture(scope="module")
def workspace(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the finished run in it."""
    return Path(
        shutil.copytree(trained.pod.workspace, tmp_path_factory.mktemp("export") / "workspace")
    )


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-3), ("fp16", 0.05)])
def test_an_export_is_close_to_its_checkpoint(
    workspace: Path, make_pod: MakePod, trained: Training, precision: str, most: float
) -> None:
    variant = VariantSpec.model_validate(
        {"name": precision, "format": "onnx", "precision": precision}
    )
    result = export(make_pod(workspace), export_task(trained, variant=variant))
    assert result.max_difference < most
    found, reached = result.metrics, trained.result.metrics
    assert found is not None
    assert found.map50 == pytest.approx(reached.map50, abs=0.05)
