"""What needs an NVIDIA GPU: `make test-gpu` runs it, and everything else skips it where none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.gpu import NO_GPU, has_gpu
from support.shared import made_once
from support.training_fixtures import coins, make_pod, offline
from support.training_jobs import LEARNING_EPOCHS, Training, train, with_epochs

__all__ = ["coins", "make_pod", "offline"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason=NO_GPU))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, coins: Path) -> Training:
    """One whole training on the GPU that learns the coins, whose workspace nobody writes to."""

    def make(root: Path) -> None:
        train(root, coins, hyperparameters=with_epochs(LEARNING_EPOCHS), gpus=1)

    return Training.load(made_once(tmp_path_factory, "trained-on-gpu", make))
