"""Nodes that share no folder: dataset and workspace are in a real store, each has its own copy."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.tasks import Nodes, TrainTask
from sealyard_local.ports import free_ports
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_check import inspect
from support.dataset_store import DatasetStore, dataset_store
from support.interrupted import recorded
from support.job_programs import PROGRAM_SECONDS, TIMEOUT_SECONDS, Pod, wait_until
from support.lost_epoch import losing_an_epoch
from support.training_jobs import RUN_PATH, train_task, with_epochs
from support.workspace_stores import Workspaces

pytestmark = [
    *(pytest.mark.training, pytest.mark.stores),
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

COINS = "teams/vision/coins/"
EPOCHS = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, coins: Path) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as server:
        server.put_folder(coins / "coins", COINS)
        yield server


@pytest.fixture(scope="module")
def workspaces(server: DatasetStore, tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    root = tmp_path_factory.mktemp("mounts")
    server.mounts(root)
    return Workspaces.on(server, root)


def task_of(workspaces: Workspaces, attempt: int) -> TrainTask:
    [port] = free_ports(1)
    return train_task(
        task_version=8,
        attempt=attempt,
        dataset=workspaces.server.remote(COINS),
        dataset_path=None,
        workspace=workspaces.remote(),
        hyperparameters=with_epochs(EPOCHS),
        nodes=Nodes(count=2, host="localhost", port=port),
    )


def pods_of(workspaces: Workspaces, folder: Path) -> list[Pod]:
    """Each with an empty copy of the workspace, and no dataset's volume."""
    folder.mkdir()
    pods = [workspaces.pod(folder / str(index), f"{folder.name}-{index}", None) for index in (0, 1)]
    return [replace(pod, index=index) for index, pod in enumerate(pods)]


@contextmanager
def running(
    program: str, task: TrainTask, pods: Sequence[Pod]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [pod.start(program, task) for pod in pods]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def stored(workspaces: Workspaces) -> int:
    """The newest epoch that the index has a checkpoint of; 0 where there is none."""
    files = workspaces.index(RUN_PATH)["files"]
    epochs = [int(found[1]) for path in files if (found := re.search(r"-(\d+)\.json$", path))]
    return max(epochs, default=0)


def test_one_of_two_nodes_is_drained_and_the_next_two_go_on(
    workspaces: Workspaces, coins: Path, tmp_path: Path
) -> None:
    nodes = pods_of(workspaces, tmp_path / "first")
    program = losing_an_epoch(tmp_path)
    with running(program, task_of(workspaces, 1), nodes) as (first, other):
        wait_until(lambda: stored(workspaces) >= 2, first, nodes[0])
        other.send_signal(signal.SIGTERM)
        assert other.wait(120) == 143
        assert first.wait(120) != 0, "it cannot go on without the other"
    for pod in nodes:
        assert "went back to epoch 1" in pod.log_file.read_text()
    kept = stored(workspaces)
    assert kept == max(recorded(nodes[0].workspace)), "all of it was uploaded"

    nodes = pods_of(workspaces, tmp_path / "second")
    with running("sealyard-trainer", task_of(workspaces, 2), nodes) as processes:
        for pod, process in zip(nodes, processes, strict=True):
            assert process.wait(PROGRAM_SECONDS) == 0, pod.log_file.read_text()
    result = TrainResult.model_validate(nodes[0].answer().result)
    assert (result.epochs, result.resumed_from_epoch) == (EPOCHS, kept)
    assert result.dataset.digest == inspect(read_dataset(coins / "coins")).digest
    with (nodes[0].workspace / RUN_PATH / "results.csv").open() as curve:
        assert [int(row["epoch"]) for row in csv.DictReader(curve)] == [*range(1, EPOCHS + 1)]
    stored_now = workspaces.index(RUN_PATH)
    assert "best.pt" in stored_now["files"]
    assert stored_now["holder"] == nodes[0].uid, "only the first writes to the store"
    answer = nodes[1].answer()
    assert (answer.message, answer.result) == ("node 1 of 2 has done its part", None)
    names = {path.name for path in nodes[1].workspace.rglob("*.pt")}
    assert names == {"last.pt", "best.pt"}, "what the other one needs, and no more"
