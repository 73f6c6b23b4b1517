"""A run whose workspace is in a real store, and whose pods keep nothing."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealyard.api.answers import ExportResult, TidyResult, TrainResult
from sealyard.api.model_release import VariantSpec
from sealyard.api.s3 import S3Workspace
from sealyard.api.tasks import ExportTask, Owner, TidyTask, TrainTask
from sealyard.api.training_run import PinnedWeights
from sealyard.delivery.printed_object import main as print_object
from sealyard.errors import IntegrityError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.printed_file import parse
from sealyard.jobs.workspace import hash_file
from sealyard_trainer.weights_file import fetch_weights
from support.dataset_store import DatasetStore, dataset_store
from support.interrupted import recorded
from support.job_programs import TIMEOUT_SECONDS, Pod, wait_until
from support.training_jobs import RUN_PATH, train_task, with_epochs
from support.workspace_stores import Workspaces

pytestmark = [
    *(pytest.mark.training, pytest.mark.stores),
    pytest.mark.timeout(TIMEOUT_SECONDS),
]

EPOCHS = 4
LONG = 300
"""More epochs than a test waits for."""
EXPORTS = "default/coins-1-abcdef0123"

NextPod = Callable[[], Pod]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture(scope="module")
def workspaces(server: DatasetStore, tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    return Workspaces.on(server, tmp_path_factory.mktemp("mounts"))


@pytest.fixture
def next_pod(workspaces: Workspaces, coins: Path, tmp_path: Path) -> NextPod:
    """Each on a node of its own: with an empty copy of the workspace."""
    made = 0

    def make() -> Pod:
        nonlocal made
        made += 1
        return workspaces.pod(tmp_path / f"pod-{made}", f"pod-{made}", coins)

    return make


def task_of(workspaces: Workspaces, run_path: str, epochs: int) -> TrainTask:
    return train_task(
        task_version=7,
        workspace=workspaces.remote(),
        run_path=run_path,
        hyperparameters=with_epochs(epochs),
    )


def stored(workspaces: Workspaces, run_path: str) -> list[int]:
    """The epochs of the checkpoints that the index has."""
    files = workspaces.index(run_path)["files"]
    return sorted(int(found[1]) for path in files if (found := re.search(r"-(\d+)\.json$", path)))


def newest(epochs: list[int]) -> int:
    return epochs[-1] if epochs else 0


def test_a_pod_that_is_killed_a_store_that_is_away_and_sigterm(
    workspaces: Workspaces, next_pod: NextPod
) -> None:
    run_path = f"{RUN_PATH}-long"
    task = task_of(workspaces, run_path, LONG)

    def local(pod: Pod) -> int:
        return newest(recorded(pod.workspace, run_path))

    first = next_pod()
    process = first.start("sealyard-trainer", task)
    try:
        wait_until(lambda: newest(stored(workspaces, run_path)) >= 2, process, first)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = newest(stored(workspaces, run_path))
    assert kept >= local(first) - 1, "one epoch is lost at most"

    second = next_pod()
    process = second.start("sealyard-trainer", task.model_copy(update={"attempt": 2}))
    try:
        wait_until(lambda: newest(stored(workspaces, run_path)) > kept, process, second)
        workspaces.server.server.kill()
        try:
            there = local(second)
            wait_until(lambda: local(second) >= there + 3, process, second)
            wait_until(lambda: "the work goes on" in second.log_file.read_text(), process, second)
        finally:
            workspaces.server.server.start()
        away = local(second)
        wait_until(lambda: newest(stored(workspaces, run_path)) >= away, process, second)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
    finally:
        process.kill()
        process.wait()
    log = second.log_file.read_text()
    assert f"resuming after epoch {kept}" in log
    assert second.answer().message.endswith("the next attempt goes on from here")
    assert newest(stored(workspaces, run_path)) == local(second)
    assert len(stored(workspaces, run_path)) <= 2
    files = workspaces.index(run_path)["files"].values()
    assert {one["object"] for one in files} >= set(workspaces.objects(run_path))


def test_a_run_from_its_resume_to_its_export(
    workspaces: Workspaces,
    next_pod: NextPod,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = task_of(workspaces, RUN_PATH, EPOCHS)
    killed = next_pod()
    process = killed.start("sealyard-trainer", task)
    try:
        wait_until(lambda: newest(stored(workspaces, RUN_PATH)) >= 2, process, killed)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = newest(stored(workspaces, RUN_PATH))
    pod = next_pod()
    again = task.model_copy(update={"attempt": 2})
    assert pod.run("sealyard-trainer", again) == 0, pod.log_file.read_text()
    result = TrainResult.model_validate(pod.answer().result)
    assert result.resumed_from_epoch == kept
    files = workspaces.index(RUN_PATH)["files"]
    assert {path.partition("/")[0] for path in files} == {
        *("DONE.json", "best.pt", "dataset.lock", "report.html", "results.csv"),
        "tensorboard",
    }
    for artifact in result.artifacts:
        assert files[artifact.name]["sha256"] == artifact.sha256
        assert artifact.path == f"{RUN_PATH}/{artifact.name}"

    asked_again = next_pod()
    assert asked_again.run("sealyard-trainer", again) == 0
    assert asked_again.answer().result == pod.answer().result
    assert "its answer is given again" in asked_again.log_file.read_text()

    mounted = Mounts(secrets=pod.secrets or tmp_path, ca=pod.ca or tmp_path, scratch=tmp_path)
    report = next(one for one in result.artifacts if one.name == "report.html")
    store = workspaces.remote().model_dump_json(by_alias=True)
    assert print_object([store, report.path], mounted) == 0
    assert parse(capsys.readouterr().out.encode()).startswith(b"<!doctype html>")
    assert print_object([store, f"{RUN_PATH}/nothing.html"], mounted) == 66

    best = result.artifacts[0]
    export = ExportTask(
        task_version=7,
        owner=Owner(namespace="default", name="coins-1", uid="release-1"),
        attempt=1,
        variant=VariantSpec(name="edge", format="onnx", precision="fp32"),
        checkpoint_path=best.path,
        checkpoint_sha256=best.sha256,
        image_size=64,
        dataset_path="coins",
        run_path=RUN_PATH,
        release_path=EXPORTS,
        workspace=workspaces.remote(),
        model="coins",
        version="1.0.0",
    )
    exporting = next_pod()
    assert exporting.run("sealyard-exporter", export) == 0, exporting.log_file.read_text()
    exported = ExportResult.model_validate(exporting.answer().result)
    files = workspaces.index(f"{EXPORTS}/exports/edge")["files"]
    assert set(files) == {"model.onnx", "DONE.json"}
    assert files["model.onnx"]["sha256"] == exported.sha256
    once_more = next_pod()
    assert once_more.run("sealyard-exporter", export) == 0
    assert "this export is done already" in once_more.log_file.read_text()

    tidy = TidyTask(
        task_version=7,
        owner=export.owner,
        attempt=1,
        release_path=EXPORTS,
        workspace=workspaces.remote(),
    )
    tidying = next_pod()
    assert tidying.run("sealyard-courier", tidy) == 0, tidying.log_file.read_text()
    left = TidyResult.model_validate(tidying.answer().result)
    assert (left.files, left.bytes) == (2, sum(one["sizeBytes"] for one in files.values()))
    assert not workspaces.objects(f"{EXPORTS}/exports/edge")
    assert set(workspaces.index(RUN_PATH)["files"]) >= {"best.pt"}

    folder = workspaces.remote()
    weights = PinnedWeights(
        s3=S3Workspace(
            uri=f"s3://{folder.bucket}/{folder.prefix}",
            endpoint=folder.endpoint,
            credentials_secret_ref={"name": folder.secret_name},
            ca_bundle_ref={"name": "stores-ca"},
        ),
        path=best.path,
        sha256=best.sha256,
        training_run="coins",
    )
    fetched = fetch_weights(weights, mounted, tmp_path)
    assert hash_file(fetched).sha256 == best.sha256
    with pytest.raises(IntegrityError, match=f"has the SHA-256 {best.sha256}, and 0000"):
        fetch_weights(weights.model_copy(update={"sha256": "0" * 64}), mounted, tmp_path)
    for line in (pod.log_file, killed.log_file, exporting.log_file):
        assert workspaces.server.writer.secret_access_key not in line.read_text()


def test_who_may_not_write_there_is_told_so(workspaces: Workspaces, next_pod: NextPod) -> None:
    task = task_of(workspaces, f"{RUN_PATH}-refused", 1)
    pod = next_pod()
    remote = task.workspace
    assert remote is not None
    nowhere = remote.model_copy(update={"bucket": "none"})
    code = pod.run("sealyard-trainer", task.model_copy(update={"workspace": nowhere}))
    assert code == 66
    assert "there is no bucket none; make it" in pod.answer().message
