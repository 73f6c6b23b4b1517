"""Two processes train one run: interrupted together, resumed together, and none outlives another.

The workspace is in a real store in the first case, and a volume in the second. On the CPU, where
they speak through gloo; GPUs speak through NCCL.
"""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult
from support.dataset_store import dataset_store
from support.job_programs import TIMEOUT_SECONDS, Pod, wait_until
from support.progress_server import progress_server
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs
from support.two_processes import two_processes
from support.workspace_stores import Workspaces

pytestmark = [
    *(pytest.mark.training, pytest.mark.stores),
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

EPOCHS = 3


def has_checkpoint(pod: Pod, epoch: int) -> bool:
    return (pod.workspace / RUN_PATH / "checkpoints" / f"epoch-{epoch:06}.json").exists()


def trainers(pid: int) -> list[int]:
    """The processes that train, in the order that they were started in."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.fixture
def workspaces(tmp_path: Path) -> Iterator[Workspaces]:
    folder = tmp_path / "store"
    folder.mkdir()
    with dataset_store(folder) as server:
        yield Workspaces.on(server, tmp_path / "mounts")


def test_two_processes_are_interrupted_and_resume_as_one(
    workspaces: Workspaces, coins: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a projected token")
    program = two_processes(tmp_path)
    with progress_server(tmp_path / "server") as received:
        task = train_task(
            task_version=7,
            workspace=workspaces.remote(),
            hyperparameters=with_epochs(EPOCHS),
            progress=received.endpoint,
        )
        pod = replace(workspaces.pod(tmp_path / "pod-1", "pod-1", coins), token=token)
        process = pod.start(program, task)
        try:
            wait_until(lambda: has_checkpoint(pod, 1), process, pod)
            both = trainers(process.pid)
            assert len(both) == 2
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 143
        finally:
            process.kill()
            process.wait()
        assert pod.answer().message == "interrupted by SIGTERM; the next attempt goes on from here"
        assert not any(Path(f"/proc/{pid}").exists() for pid in both), "they ended with it"

        second = replace(workspaces.pod(tmp_path / "pod-2", "pod-2", coins), token=token)
        assert second.run(program, task) == 0, second.log_file.read_text()
    result = TrainResult.model_validate(second.answer().result)
    assert result.epochs == EPOCHS
    assert result.resumed_from_epoch in {1, 2}
    assert {artifact.name for artifact in result.artifacts} == {
        "best.pt",
        "results.csv",
        "report.html",
    }
    with (second.workspace / RUN_PATH / "results.csv").open() as curve:
        assert [row["epoch"] for row in csv.DictReader(curve)] == ["1", "2", "3"]
    assert "best.pt" in workspaces.index(RUN_PATH)["files"]
    reported = [report.epoch for report in received.reports]
    assert reported == sorted(reported), "one of them speaks for both"
    assert reported[-1] == EPOCHS


def test_one_that_dies_ends_the_other(make_pod: MakePod, tmp_path: Path) -> None:
    pod = make_pod()
    process = pod.start(two_processes(tmp_path), train_task(hyperparameters=with_epochs(200)))
    try:
        wait_until(lambda: has_checkpoint(pod, 1), process, pod)
        _, helper = trainers(process.pid)
        os.kill(helper, signal.SIGKILL)
        assert process.wait(60) == 137
    finally:
        process.kill()
        process.wait()
    assert pod.answer().message == "process 1 of 2 was ended by SIGKILL"
