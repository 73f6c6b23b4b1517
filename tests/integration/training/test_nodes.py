"""Two nodes train one run: each a program of its own, which meet on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.tasks import Nodes, TrainTask
from sealyard_local.ports import free_ports
from support.job_programs import PROGRAM_SECONDS, TIMEOUT_SECONDS
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

EPOCHS = 2


def two_nodes() -> TrainTask:
    [port] = free_ports(1)
    nodes = Nodes(count=2, host="localhost", port=port)
    return train_task(hyperparameters=with_epochs(EPOCHS), nodes=nodes)


def test_the_first_has_the_answer_and_the_other_writes_nothing(
    make_pod: MakePod, tmp_path: Path
) -> None:
    task = two_nodes()
    pods = [make_pod(index=index) for index in (1, 0)]
    processes = [pod.start("sealyard-trainer", task) for pod in pods]
    try:
        for pod, process in zip(pods, processes, strict=True):
            assert process.wait(PROGRAM_SECONDS) == 0, pod.log_file.read_text()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    other, first = pods
    result = TrainResult.model_validate(first.answer().result)
    assert result.epochs == EPOCHS
    assert (first.workspace / RUN_PATH / "best.pt").exists()
    answer = other.answer()
    assert (answer.message, answer.result) == ("node 1 of 2 has done its part", None)
    written = {path for path in other.watched("write") if RUN_PATH in path}
    assert written == set(), "only the first writes to the workspace"


def test_a_node_must_know_which_it_is(make_pod: MakePod) -> None:
    pod = make_pod()
    assert pod.run("sealyard-trainer", two_nodes()) == 64
    assert pod.answer().message == (
        "JOB_COMPLETION_INDEX is not set; a number below 2 is wanted, as an indexed Job sets it"
    )
