"""The real trainer on a GPU: what it uses, what it leaves, and how it goes on."""

from __future__ import annotations

import logging
import re
import signal
import time

import pytest

from sealyard.api.answers import TrainResult
from support.gpu import gpu_says
from support.interrupted import recorded, started
from support.job_programs import TIMEOUT_SECONDS, wait_until
from support.training_jobs import LEARNING_EPOCHS, MakePod, Training, train_task, with_epochs

pytestmark = [pytest.mark.gpu, pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

LONG = 200
"""More epochs than a test waits for."""
FEW = 12
"""Enough that a GPU has not trained them before it can be interrupted."""
GRACE_SECONDS = 120
"""What the pod of a training has between SIGTERM and SIGKILL."""

logger = logging.getLogger(__name__)


def test_a_run_trains_on_the_gpu(trained: Training) -> None:
    result, log = trained.result, trained.pod.log_file.read_text()
    assert f"training {LEARNING_EPOCHS} epochs on 32 pictures, cuda:0" in log
    assert result.epochs == LEARNING_EPOCHS
    assert (result.metrics.map50 or 0) > 0.5
    assert {name for name, value in result.metrics if value is not None} == {
        *("map50", "map50_95", "precision", "recall")
    }
    assert [artifact.name for artifact in result.artifacts] == [
        *("best.pt", "results.csv", "report.html")
    ]
    fractions = [report.fraction for report in trained.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_it_computes_in_bf16_where_the_gpu_can(trained: Training) -> None:
    precision = "bf16" if float(gpu_says("compute_cap")) >= 8 else "fp32"
    assert f"pictures, cuda:0 in {precision}\n" in trained.pod.log_file.read_text()


def test_the_report_names_the_gpu(trained: Training) -> None:
    assert f"{gpu_says('name')}, " in (trained.folder / "report.html").read_text()


def test_nothing_is_asked_of_the_network(trained: Training) -> None:
    # Processes that load pictures hand them over by sockets in the file system, which have no host.
    addresses = {line for line in trained.pod.watched("network") if "(" in line}
    assert {line for line in addresses if "'127.0.0.1'" not in line} == set()


def test_sigterm_ends_it_with_143_and_the_next_attempt_goes_on(make_pod: MakePod) -> None:
    first = make_pod()
    process = first.start("sealyard-trainer", train_task(hyperparameters=with_epochs(LONG), gpus=1))
    try:
        wait_until(lambda: started(first, 2), process, first)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(GRACE_SECONDS) == 143
        logger.info("from SIGTERM to the exit: %.2f s", time.monotonic() - begun)
    finally:
        process.kill()
        process.wait()
    assert first.answer().message.startswith("interrupted by SIGTERM")

    resumed_from = recorded(first.workspace)[-1]
    second = make_pod()
    process = second.start(
        "sealyard-trainer", train_task(hyperparameters=with_epochs(LONG), gpus=1, attempt=2)
    )
    try:
        begun = time.monotonic()
        wait_until(lambda: started(second, resumed_from + 1), process, second)
        logger.info("from the start to the first new epoch: %.2f s", time.monotonic() - begun)
        wait_until(lambda: started(second, resumed_from + 3), process, second)
        process.send_signal(signal.SIGTERM)
        assert process.wait(GRACE_SECONDS) == 143
    finally:
        process.kill()
        process.wait()
    log = second.log_file.read_text()
    assert f"resuming after epoch {resumed_from}" in log
    assert "cuda:0" in log
    trained_now = [int(epoch) for epoch in re.findall(r": epoch (\d+) of", log)]
    # The third of them is recorded before its line is logged.
    assert trained_now[:2] == [resumed_from + 1, resumed_from + 2]


def test_a_killed_training_is_finished_by_the_next_attempt(make_pod: MakePod) -> None:
    task = train_task(hyperparameters=with_epochs(FEW), gpus=1)
    first = make_pod()
    process = first.start("sealyard-trainer", task)
    try:
        wait_until(lambda: started(first, 2), process, first)
    finally:
        process.kill()
        process.wait()
    kept = recorded(first.workspace)[-1]
    second = make_pod()
    assert second.run("sealyard-trainer", task.model_copy(update={"attempt": 2})) == 0
    result = TrainResult.model_validate(second.answer().result)
    assert result.resumed_from_epoch == kept >= 2
    assert result.epochs == FEW
