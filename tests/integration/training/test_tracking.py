"""What a training tells a real MLflow server, and what TensorBoard itself reads of its file."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.tasks import Owner
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.curve import Point, read_points
from sealyard_trainer.tracking.event_file import EVENTS
from sealyard_trainer.tracking.mlflow_plan import Status
from sealyard_trainer.tracking.mlflow_tracker import MlflowTracker
from support.job_programs import TIMEOUT_SECONDS, Pod, wait_until
from support.mlflow_server import PASSWORD, USER, MlflowServer, environment, mlflow_server
from support.training_jobs import RUN_PATH, MakePod, train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

EPOCHS = 4
METRIC = "metrics/mAP50B"
POINTS = [Point(epoch, epoch * 2.0, {"metrics/mAP50(B)": epoch / 10}) for epoch in range(1, 6)]
READ = """
import json, sys
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
events = list(EventFileLoader(sys.argv[1]).Load())
points = [(e.step, sorted(v.tag for v in e.summary.value)) for e in events if e.summary.value]
print(json.dumps(points))
"""


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(autouse=True)
def right_password(mlflow: MlflowServer) -> None:
    mlflow.set_password(PASSWORD)


def tell(
    server: MlflowServer,
    experiment: str,
    points: list[Point],
    status: Status,
    *,
    former: int = 0,
    attempt: int = 1,
    uid: str = "run-1",
) -> str | None:
    """What one attempt says, without a training."""
    remote = server.remote(experiment)
    owner = Owner(namespace="default", name="coins", uid=uid)
    tracker = MlflowTracker(
        train_task(attempt=attempt, mlflow=remote, owner=owner),
        remote,
        Mounts(secrets=server.secrets, ca=server.ca),
        dataset_digest="d1",
        former=points[:former],
        closing_seconds=120,
    )
    for point in points[former:]:
        tracker.add(point)
    return tracker.end(status)


def test_a_refused_login_is_said_and_the_next_attempt_tells_everything_once(
    mlflow: MlflowServer, caplog: pytest.LogCaptureFixture
) -> None:
    tell(mlflow, "resumed", POINTS[:1], "FINISHED")
    caplog.clear()
    mlflow.set_password("of somebody else")
    with caplog.at_level(logging.WARNING):
        said = tell(mlflow, "resumed", POINTS[:2], "FAILED", former=1, attempt=2)
    assert said is not None
    assert said.startswith("MLflow was not told the figures of 2 epochs: MLflow 127.0.0.1:")
    assert "it refuses the login of Secret mlflow; correct mlflow-username and" in said
    assert len(caplog.records) == 1
    for secret in (USER, "somebody", PASSWORD):
        assert secret not in caplog.text + said
    mlflow.set_password(PASSWORD)
    # The checkpoint of epoch 1 was lost meanwhile, so it is trained again.
    assert tell(mlflow, "resumed", POINTS, "FINISHED", attempt=3) is None
    (run,) = mlflow.runs("resumed")
    assert mlflow.history(run, METRIC) == [(point.epoch, point.epoch / 10) for point in POINTS]
    assert run["info"]["status"] == "FINISHED"
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["sealyard.attempts"] == "3"
    assert tags["sealyard.run"] == "default/coins"


def test_another_custom_resource_has_a_run_of_its_own(mlflow: MlflowServer) -> None:
    for uid in ("run-1", "run-2"):
        assert tell(mlflow, "adopted", POINTS, "FINISHED", former=5, uid=uid) is None
    first, second = mlflow.runs("adopted")
    assert mlflow.history(first, METRIC) == mlflow.history(second, METRIC)


def test_a_training_that_was_killed_goes_on_in_the_same_run(
    mlflow: MlflowServer, make_pod: MakePod
) -> None:
    mounts = {"secrets": mlflow.secrets, "ca": mlflow.ca}
    task = train_task(hyperparameters=with_epochs(EPOCHS), mlflow=mlflow.remote("trained"))
    first = make_pod(**mounts)
    process = first.start("sealyard-trainer", task)
    checkpoint = first.workspace / RUN_PATH / "checkpoints/epoch-000002.json"
    try:
        wait_until(checkpoint.exists, process, first)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
    finally:
        process.kill()
        process.wait()
    second = make_pod(**mounts)
    resumed = task.model_copy(update={"attempt": 2})
    assert second.run("sealyard-trainer", resumed) == 0, second.log_file.read_text()
    assert TrainResult.model_validate(second.answer().result).resumed_from_epoch
    assert "MLflow" not in second.answer().message
    for pod in (first, second):
        assert PASSWORD not in pod.log_file.read_text()

    curve = read_points(second.workspace / RUN_PATH / "results.csv")
    assert [point.epoch for point in curve] == list(range(1, EPOCHS + 1))
    (run,) = mlflow.runs("trained")
    told = mlflow.history(run, "train/box_loss")
    assert [epoch for epoch, _ in told] == [point.epoch for point in curve]
    wanted = [point.figures["train/box_loss"] for point in curve]
    assert [value for _, value in told] == pytest.approx(wanted)
    assert run["info"]["status"] == "FINISHED"
    parameters = {each["key"]: each["value"] for each in run["data"]["params"]}
    assert parameters["architecture"] == "yolo11n.yaml"
    assert parameters["image"] == "registry.test/trainer:1"
    assert read_events(second) == [[point.epoch, sorted(point.figures)] for point in curve]


def read_events(pod: Pod) -> object:
    """Step and tags of each event, read by TensorBoard."""
    file: Path = pod.workspace / RUN_PATH / "tensorboard" / EVENTS
    command = [str(environment() / "python"), "-c", READ, str(file)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
