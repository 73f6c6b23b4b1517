"""A training from the task to the answer."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sealyard.api.answers import MAX_ANSWER_BYTES, TrainResult
from sealyard.api.tasks import Owner
from sealyard.api.training_run import Hyperparameters, ModelScale, ModelSpec
from support.coins import write_coins
from support.job_programs import TIMEOUT_SECONDS, Pod
from support.training_jobs import EPOCHS, RUN_PATH, MakePod, Training, train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]


def tree(folder: Path) -> dict[str, str]:
    """What a folder holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_result_is_what_lies_in_the_workspace(trained: Training) -> None:
    result = trained.result
    assert result.epochs == EPOCHS
    assert result.resumed_from_epoch is None
    assert result.dataset.images == 40
    assert [artifact.name for artifact in result.artifacts] == [
        "best.pt",
        "results.csv",
        "report.html",
    ]
    for artifact in result.artifacts:
        content = (trained.pod.workspace / artifact.path).read_bytes()
        assert artifact.path == f"{RUN_PATH}/{artifact.name}"
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()
        assert artifact.size_bytes == len(content)
    assert len(trained.pod.answer_file.read_bytes()) < MAX_ANSWER_BYTES
    assert all(value is not None for value in result.metrics.model_dump().values())


def test_the_run_folder_holds_results_and_nothing_half_done(trained: Training) -> None:
    names = {path.name for path in trained.folder.iterdir()}
    kept = {"best.pt", "dataset.lock", "plots", "report.html", "results.csv", "tensorboard"}
    assert names == kept | {"DONE.json", "LOCK"}
    plots = {path.name for path in (trained.folder / "plots").iterdir()}
    assert {"results.png", "BoxPR_curve.png", "confusion_matrix.png", "labels.jpg"} <= plots
    lock = json.loads((trained.folder / "dataset.lock").read_text())
    assert lock["digest"] == trained.result.dataset.digest
    assert lock["pictures"] == {"train": 32, "val": 8}


def test_the_curve_has_a_row_for_each_epoch(trained: Training) -> None:
    rows = list(csv.DictReader((trained.folder / "results.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == [str(epoch + 1) for epoch in range(EPOCHS)]
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)
    assert "metrics/mAP50(B)" in rows[0]


def test_the_report_shows_the_run_and_names_no_place(trained: Training) -> None:
    assert "no report" not in trained.pod.answer().message
    report = (trained.folder / "report.html").read_text()
    for section in ("Dataset", "Curves", "Results of the best model", "Predictions", "Attempts"):
        assert f">{section}" in report
    assert report.count('<svg class="picture"') == 12 + 6 + 2 * 6
    assert 'aria-label="Confusion matrix: ' in report
    assert "What augmentation makes of them" in report
    assert f"{trained.result.metrics.map50:.3f}</dd>" in report
    text = re.sub(r'base64,[^"]*', "", report)
    assert str(trained.pod.root) not in text
    assert str(Path.home()) not in text
    assert socket.gethostname() not in re.findall(r"[\w.-]+", text)


def test_progress_grows_until_all_is_done(trained: Training) -> None:
    reports = trained.reports
    assert [report.fraction for report in reports] == sorted(report.fraction for report in reports)
    assert {report.epoch for report in reports} >= {0, 1, 2, EPOCHS}
    assert reports[0].metrics is None
    assert reports[-1].fraction == 1
    assert reports[-1].eta_seconds == 0
    assert reports[-1].metrics == trained.result.metrics
    assert {report.run.uid for report in reports} == {"run-1"}
    assert set(trained.tokens) == {"Bearer a projected token"}


def test_nothing_but_the_progress_endpoint_is_reached(trained: Training) -> None:
    reached = trained.pod.watched("network")
    assert reached
    assert all("127.0.0.1" in address for address in reached), reached


def test_nothing_is_written_outside_workspace_and_scratch(trained: Training, coins: Path) -> None:
    root = trained.pod.root
    allowed = (str(root / "workspace"), str(root / "scratch"), str(root / "termination-log"))
    strange = {
        path
        for path in trained.pod.watched("write")
        if not path.startswith((*allowed, "/dev/null", "/proc/self/"))
    }
    assert strange == set()
    assert {path.suffix for path in coins.rglob("*") if path.is_file()} == {".yaml", ".png", ".txt"}


def test_the_log_is_made_of_lines_for_people(trained: Training) -> None:
    log = trained.pod.log_file.read_text()
    assert "epoch 1 of 3: mAP50 " in log
    assert "\r" not in log
    assert "WARNING" not in log
    assert "a projected token" not in log


def test_a_second_run_gives_the_same_answer_again(trained: Training, make_pod: MakePod) -> None:
    before = tree(trained.pod.workspace)
    # Not even the dataset is needed for it.
    pod = make_pod(trained.pod.workspace, dataset=None)
    assert pod.run("sealyard-trainer", train_task(attempt=2)) == 0
    assert pod.answer_file.read_bytes() == trained.pod.answer_file.read_bytes()
    assert tree(trained.pod.workspace) == before


def test_a_run_made_anew_adopts_what_the_same_inputs_gave(
    trained: Training, make_pod: MakePod
) -> None:
    pod = make_pod(trained.pod.workspace)
    owner = Owner(namespace="default", name="coins", uid="run-2")
    assert pod.run("sealyard-trainer", train_task(owner=owner)) == 0
    assert pod.answer().result == trained.result.to_wire()
    assert "its result is adopted" in pod.log_file.read_text()


def change_picture(volume: Path) -> None:
    path = volume / "coins/images/train/train-000.png"
    shutil.copy(volume / "coins/images/train/train-001.png", path)


def remove_picture(volume: Path) -> None:
    (volume / "coins/images/train/train-000.png").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_picture, "pictures, labels or names have other contents"),
        (remove_picture, "pictures were added, removed or renamed (40 before, 39 now)"),
    ],
)
def test_a_dataset_that_changed_between_attempts_is_refused(
    trained: Training,
    make_pod: MakePod,
    tmp_path: Path,
    change: Callable[[Path], None],
    message: str,
) -> None:
    volume, workspace = tmp_path / "dataset", tmp_path / "copy"
    assert trained.pod.dataset is not None
    shutil.copytree(trained.pod.dataset, volume)
    for path in (volume, *volume.rglob("*")):
        path.chmod(0o755)
    change(volume)
    shutil.copytree(trained.pod.workspace, workspace)
    (workspace / RUN_PATH / "DONE.json").unlink()
    pod = make_pod(workspace, dataset=volume)
    assert pod.run("sealyard-trainer", train_task(attempt=2)) == 65
    assert message in pod.answer().message


def test_a_download_script_is_refused_and_never_run(make_pod: MakePod, tmp_path: Path) -> None:
    volume, proof = tmp_path / "dataset", tmp_path / "the-script-ran"
    (volume / "coins").mkdir(parents=True)
    script = f"  from pathlib import Path\n  Path({str(proof)!r}).touch()\n"
    text = f"train: images/train\nval: images/val\nnames: [coin]\ndownload: |\n{script}"
    (volume / "coins/data.yaml").write_text(text)
    pod = make_pod(dataset=volume)
    assert pod.run("sealyard-trainer", train_task()) == 64
    assert pod.answer().message.startswith("dataset: data.yaml:4: download is not allowed")
    assert not proof.exists()


def hyperparameters(**extra: Any) -> dict[str, Any]:
    return {"hyperparameters": Hyperparameters(epochs=2, image_size=64, extra=extra)}


@pytest.mark.parametrize(
    ("changes", "exit_code", "message"),
    [
        ({"dataset_path": "gone"}, 66, "dataset: there is no folder gone in the dataset's volume"),
        ({"dataset_path": None}, 66, "dataset: there is no data.yaml in the dataset's folder yet"),
        (hyperparameters(resume=True), 64, "spec.hyperparameters.extra.resume is not allowed"),
        (hyperparameters(epochs=9), 64, "spec.hyperparameters.extra.epochs is not allowed; set"),
        ({"gpus": 3}, 64, "spec.hyperparameters.batch is 8 and 3 processes train; a multiple of"),
        ({"requested_at": "today"}, 64, "sealyard.io/requestedAt is 'today'; a time such as"),
    ],
)
def test_what_is_refused_at_once(
    make_pod: MakePod, changes: dict[str, Any], exit_code: int, message: str
) -> None:
    pod = make_pod()
    assert pod.run("sealyard-trainer", train_task(**changes)) == exit_code
    assert pod.answer().message.startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (hyperparameters(learning_rate=1), "spec.hyperparameters: 'learning_rate' is not a valid"),
        (
            {"model": ModelSpec(architecture="yolo11n-seg.yaml", scale=ModelScale(width=0.5))},
            "spec.model.architecture is yolo11n-seg.yaml, which ends in Segment",
        ),
    ],
)
def test_what_only_ultralytics_can_judge(
    make_pod: MakePod, changes: dict[str, Any], message: str
) -> None:
    pod = make_pod()
    assert pod.run("sealyard-trainer", train_task(**changes)) == 64
    assert pod.answer().message.startswith(message)


def test_a_newer_request_trains_again(trained: Training, make_pod: MakePod, tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(trained.pod.workspace, workspace)
    requested_at = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    pod: Pod = make_pod(workspace)
    assert pod.run("sealyard-trainer", train_task(attempt=2, requested_at=requested_at)) == 0
    result = pod.answer().result
    assert result is not None
    assert "resumedFromEpoch" not in result
    # The same seed and the same dataset give the same model, so the same figures.
    assert result["metrics"] == trained.result.to_wire()["metrics"]


def test_pictures_in_rectangles_are_not_shuffled_and_kept_all_the_same(
    make_pod: MakePod, tmp_path: Path
) -> None:
    dataset = write_coins(tmp_path / "volume", train=16, val=8)
    # A whole batch of them: else all batches have the same shape, and are shuffled.
    for path in sorted(dataset.glob("images/train/*.png"))[:8]:
        with Image.open(path) as picture:
            picture.crop((0, 0, 128, 64)).save(path)
    hyperparameters = with_epochs(2)
    extra = {**(hyperparameters.extra or {}), "rect": True}
    task = train_task(hyperparameters=hyperparameters.model_copy(update={"extra": extra}))
    pod = make_pod(dataset=tmp_path / "volume")
    assert pod.run("sealyard-trainer", task) == 0, pod.log_file.read_text()
    assert TrainResult.model_validate(pod.answer().result).epochs == 2
