"""Engines that are built where they run: the engine itself is compared and judged."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from sealyard.api.model_release import VariantFormat
from sealyard_exporter.engine.library import MODULES, load
from support.export_jobs import export, export_task, variant
from support.gpu import gpu_says
from support.job_programs import TIMEOUT_SECONDS
from support.training_jobs import MakePod, Training

pytestmark = [pytest.mark.gpu, pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]


@pytest.fixture(scope="module")
def workspace(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the finished run in it."""
    return Path(
        shutil.copytree(trained.pod.workspace, tmp_path_factory.mktemp("engines") / "workspace")
    )


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("kind", ["tensorrt", "tensorrt-rtx"])
def test_an_engine_runs_and_is_judged(
    workspace: Path, make_pod: MakePod, trained: Training, kind: VariantFormat, precision: str
) -> None:
    if not all(find_spec(name) for name in MODULES[kind]):
        pytest.skip(f"{kind} is not installed")
    here = gpu_says("compute_cap")
    if kind == "tensorrt-rtx" and here not in load(kind).capabilities:
        pytest.skip(f"{kind} does not run on compute capability {here}")
    edge = variant(
        f"{kind}-{precision}",
        format=kind,
        precision=precision,
        platform={"computeCapability": here},
    )
    result = export(make_pod(workspace), export_task(trained, variant=edge))
    assert result.figures_of == "file"
    assert result.platform is not None
    assert result.platform.compute_capability == here
    found, reached = result.metrics, trained.result.metrics
    assert found is not None
    assert found.map50 == pytest.approx(reached.map50, abs=0.15 if precision == "int8" else 0.05)
