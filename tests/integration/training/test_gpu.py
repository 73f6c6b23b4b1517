"""What a training says of a GPU that does not do, seen on a machine that has none."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.hyperparameters import to_arguments
from support.job_programs import TIMEOUT_SECONDS
from support.training_jobs import train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]


@pytest.fixture(scope="module")
def engine(offline: None) -> ModuleType:
    """The module, imported as the trainer does it."""
    return importlib.import_module("sealyard_trainer.engine")


def training(engine: ModuleType, coins: Path, folder: Path, *, gpus: int) -> Any:
    layout = importlib.import_module("sealyard_trainer.layout")
    task = train_task()
    (folder / "work").mkdir()
    (folder / "view").mkdir()
    return engine.Training(
        model=task.model,
        arguments=to_arguments(with_epochs(1)),
        data=make_view(read_dataset(coins / "coins"), folder / "view"),
        gpus=gpus,
        folder=folder / "work",
        start=layout.lay_out(folder / "work", task.model, None, None),
        resumes=False,
    )


def test_a_gpu_that_pytorch_does_not_find_may_be_found_later(
    engine: ModuleType, coins: Path, tmp_path: Path
) -> None:
    gpus = engine.torch.cuda.device_count() + 1
    wanted = training(engine, coins, tmp_path, gpus=gpus)
    with pytest.raises(MissingError, match=rf"^spec.compute.gpus is {gpus} and PyTorch finds "):
        engine.train(wanted, None)


def test_a_batch_that_does_not_fit_is_refused_and_not_halved(
    engine: ModuleType, coins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def run_out(_trainer: Any, batch: Any) -> Any:
        sizes.append(len(batch["img"]))
        raise engine.torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(engine.Trainer, "preprocess_batch", run_out)
    with pytest.raises(InvalidError, match=r"hyperparameters\.batch 8 and imageSize 64; a smaller"):
        engine.train(training(engine, coins, tmp_path, gpus=0), None)
    assert sizes == [8]
