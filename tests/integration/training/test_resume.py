"""A training that is interrupted goes on, and loses one epoch at most."""

from __future__ import annotations

import csv
import re
import shutil
import signal
from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.tasks import ProgressEndpoint
from sealyard.api.training_run import Hyperparameters
from sealyard.jobs.lock import WorkspaceLock
from sealyard_local.pki import PrivateCA
from support.interrupted import in_mid_epoch, recorded, started
from support.job_programs import TIMEOUT_SECONDS, Pod, wait_until
from support.shared import made_once
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

EPOCHS = 4
LOSSES = ("train/box_loss", "train/cls_loss", "train/dfl_loss")
TOLERANCE = 1e-4
"""Of a loss: numbers in the file have six digits."""
LONG = 200
"""More epochs than a test waits for."""


def hyperparameters(epochs: int) -> Hyperparameters:
    """A step of the optimizer takes three batches and an epoch has four: some wait at its end."""
    short = with_epochs(epochs)
    return short.model_copy(update={"extra": {**(short.extra or {}), "nbs": 3 * short.batch}})


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, coins: Path) -> Path:
    """The workspace of a training whose pod was killed in its third epoch of four."""

    def make(root: Path) -> None:
        pod = Pod(root=root, workspace=root / "workspace", dataset=coins)
        task = train_task(hyperparameters=hyperparameters(EPOCHS))
        assert in_mid_epoch(pod, task, 2, signal.SIGKILL) == -signal.SIGKILL
        assert not pod.answer_file.exists()

    return made_once(tmp_path_factory, "killed", make) / "workspace"


def finish(pod: Pod, endpoint: ProgressEndpoint | None = None) -> TrainResult:
    task = train_task(hyperparameters=hyperparameters(EPOCHS), attempt=2, progress=endpoint)
    assert pod.run("sealyard-trainer", task) == 0, pod.log_file.read_text()
    return TrainResult.model_validate(pod.answer().result)


def epochs_trained(pod: Pod) -> list[int]:
    """The epochs that this pod itself trained."""
    return [int(epoch) for epoch in re.findall(r": epoch (\d+) of", pod.log_file.read_text())]


def rows(pod: Pod) -> list[dict[str, str]]:
    text = (pod.workspace / RUN_PATH / "results.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def curve(pod: Pod) -> list[tuple[int, float]]:
    return [(int(row["epoch"]), float(row["time"])) for row in rows(pod)]


def test_a_pod_killed_in_mid_epoch_loses_one_epoch_at_most(
    killed: Path, make_pod: MakePod, tmp_path: Path
) -> None:
    shutil.copytree(killed, tmp_path / "copy")
    newest = recorded(killed)[-1]
    pod = make_pod(tmp_path / "copy")
    result = finish(pod)
    assert result.resumed_from_epoch == newest >= 2
    assert result.epochs == EPOCHS
    assert epochs_trained(pod) == list(range(newest + 1, EPOCHS + 1))
    assert [epoch for epoch, _ in curve(pod)] == [1, 2, 3, 4]
    times = [time for _, time in curve(pod)]
    assert times == sorted(set(times))
    assert {path.name for path in (pod.workspace / RUN_PATH).iterdir()} == {
        *(
            "DONE.json",
            "LOCK",
            "best.pt",
            "dataset.lock",
            "plots",
            "report.html",
            "results.csv",
            "tensorboard",
        )
    }
    report = (pod.workspace / RUN_PATH / "report.html").read_text()
    assert report.count("the beginning</td>") == 1
    assert report.count(f"the checkpoint of epoch {newest}</td>") == 1
    assert "No confusion matrix" in report  # without plots nobody counts


def test_the_curve_of_a_resumed_run_is_that_of_one_that_nobody_killed(
    killed: Path, make_pod: MakePod, tmp_path: Path
) -> None:
    shutil.copytree(killed, tmp_path / "copy")
    newest = recorded(killed)[-1]
    resumed = make_pod(tmp_path / "copy")
    finish(resumed)
    whole = make_pod()
    assert whole.run("sealyard-trainer", train_task(hyperparameters=hyperparameters(EPOCHS))) == 0
    for epoch, (there, here) in enumerate(zip(rows(whole), rows(resumed), strict=True), 1):
        wanted = {loss: float(there[loss]) for loss in LOSSES}
        tolerance = 0.0 if epoch <= newest else TOLERANCE
        assert {loss: float(here[loss]) for loss in LOSSES} == pytest.approx(wanted, rel=tolerance)


def test_a_torn_checkpoint_a_dead_endpoint_and_a_failing_report_stop_nothing(
    killed: Path, make_pod: MakePod, tmp_path: Path
) -> None:
    shutil.copytree(killed, tmp_path / "copy")
    newest = recorded(killed)[-1]
    torn = tmp_path / "copy" / RUN_PATH / f"checkpoints/epoch-{newest:06}.pt"
    torn.write_bytes(torn.read_bytes()[: 1 << 16])
    # No page can take the place of a folder.
    (tmp_path / "copy" / RUN_PATH / "report.html").mkdir()
    token = tmp_path / "token"
    token.write_text("a projected token")
    pod = make_pod(tmp_path / "copy", token=token)
    stranger = PrivateCA.create("Stranger").ca_pem.decode()
    result = finish(pod, ProgressEndpoint(url="https://127.0.0.1:1", ca=stranger))
    assert result.resumed_from_epoch == newest - 1
    assert [epoch for epoch, _ in curve(pod)] == [1, 2, 3, 4]
    log = pod.log_file.read_text()
    assert f"checkpoint of epoch {newest}: epoch-{newest:06}.pt is not what was written" in log
    assert "reports cannot be delivered" in log
    assert [artifact.name for artifact in result.artifacts] == ["best.pt", "results.csv"]
    assert pod.answer().message.endswith("; no report could be made, the log says why")
    assert "IsADirectoryError" in log


def test_sigterm_and_a_newer_pod_end_with_143_and_the_next_one_resumes(make_pod: MakePod) -> None:
    task = train_task(hyperparameters=hyperparameters(LONG))
    first = make_pod()
    assert in_mid_epoch(first, task, 1, signal.SIGTERM) == 143
    assert first.answer().message.startswith("interrupted by SIGTERM")

    resumed_from = recorded(first.workspace)[-1]
    second = make_pod()
    process = second.start("sealyard-trainer", task)
    try:
        wait_until(lambda: started(second, resumed_from + 1), process, second)
        WorkspaceLock(second.workspace / RUN_PATH, "pod-3").take()
        assert process.wait(120) == 143
    finally:
        process.kill()
        process.wait()
    assert second.answer().message == "superseded by pod pod-3; this one stops"
    assert f"resuming after epoch {resumed_from}" in second.log_file.read_text()
    assert recorded(second.workspace)[-1] > resumed_from
