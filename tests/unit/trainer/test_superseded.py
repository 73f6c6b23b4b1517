"""A pod that another one has superseded writes nothing more, wherever it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.dataset import DatasetStatus
from sealyard.api.training_run import Artifact, Metrics
from sealyard.jobs.done import DONE_FILE
from sealyard.jobs.lock import Superseded, WorkspaceLock
from sealyard.jobs.mounts import Mounts
from sealyard_trainer import run as program
from sealyard_trainer.run_folder import RunFolder
from support.training_jobs import RUN_PATH, train_task

RESULT = TrainResult(
    epochs=3,
    metrics=Metrics(),
    dataset=DatasetStatus(digest="a" * 64, images=4),
    artifacts=[Artifact(name="best.pt", path="coins/best.pt", sha256="b" * 64, size_bytes=1)],
)


@pytest.fixture
def mounts(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Mounts:
    """Those of a pod, in this process: whose signals stay as they are."""
    monkeypatch.setattr(program, "interrupt_on", lambda *_, **__: None)
    for name in ("workspace", "scratch"):
        (tmp_path / name).mkdir()
    return Mounts(
        workspace=tmp_path / "workspace", scratch=tmp_path / "scratch", dataset=dataset.parent
    )


def another_takes(folder: Path) -> None:
    """As the next pod does, or the uploader for a pod that it was told of."""
    WorkspaceLock(folder, "pod-2").take()


def run(mounts: Mounts) -> None:
    program.run(train_task(dataset_path="dataset"), mounts)


def test_one_that_is_told_in_its_first_moment(
    mounts: Mounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def kept(_task: Any, _mounts: Any, folder: RunFolder) -> Iterator[None]:
        another_takes(folder.path)
        yield

    monkeypatch.setattr(program, "kept", kept)
    monkeypatch.setattr(program, "_train", lambda *_: pytest.fail("it trains"))
    with pytest.raises(Superseded, match="superseded by pod pod-2"):
        run(mounts)


def test_one_that_has_trained_already(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mounts.workspace / RUN_PATH
    of_the_other = [folder / name for name in ("work-pod-2", "checkpoints", "dataset")]

    def train(*_: Any) -> tuple[TrainResult, None]:
        another_takes(folder)
        for path in of_the_other:
            path.mkdir(exist_ok=True)
        return RESULT, None

    monkeypatch.setattr(program, "_train", train)
    with pytest.raises(Superseded, match="superseded by pod pod-2"):
        run(mounts)
    assert not (folder / DONE_FILE).exists()
    assert all(path.is_dir() for path in of_the_other)


def test_tidying_leaves_what_a_newer_pod_has(tmp_path: Path) -> None:
    folder, lock = RunFolder(tmp_path, RUN_PATH), WorkspaceLock(tmp_path, "pod-1")
    lock.take()
    names = ("work-pod-0", "work-pod-1", "work-pod-2", "checkpoints", "dataset")
    for name in names:
        (tmp_path / name).mkdir()
    folder.tidy(lock, [tmp_path / "work-pod-0"])
    assert {path.name for path in tmp_path.iterdir()} == {"LOCK", "work-pod-2"}
    (tmp_path / "checkpoints").mkdir()
    another_takes(tmp_path)
    with pytest.raises(Superseded):
        folder.tidy(lock, [])
    assert (tmp_path / "checkpoints").is_dir()
