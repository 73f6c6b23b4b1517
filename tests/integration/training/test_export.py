"""An export from the task to the answer, of what the trainer really left."""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from sealyard.api.answers import ExportResult
from support.export_jobs import export, export_task, variant
from support.job_programs import TIMEOUT_SECONDS, Pod
from support.training_jobs import RUN_PATH, MakePod, Training

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

METRICS = {"map50", "map50_95", "precision", "recall"}
ABSOLUTE_PATH = re.compile(rb"/(?:tmp|home|root|work|workspace|dataset|usr|opt)/")


@pytest.fixture(scope="module")
def workspace(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished run in it."""
    return Path(
        shutil.copytree(trained.pod.workspace, tmp_path_factory.mktemp("export") / "workspace")
    )


@pytest.fixture(scope="module")
def exported(
    workspace: Path, trained: Training, coins: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pod, ExportResult, bytes]:
    """The pod of a first export, its result and the model."""
    pod = Pod(root=tmp_path_factory.mktemp("pod"), workspace=workspace, dataset=coins)
    result = export(pod, export_task(trained))
    return pod, result, (workspace / result.path).read_bytes()


def test_the_result_is_what_lies_in_the_workspace(
    exported: tuple[Pod, ExportResult, bytes],
) -> None:
    _, result, content = exported
    assert result.path == "coins-1-abcdef0123/exports/edge/model.onnx"
    assert result.sha256 == hashlib.sha256(content).hexdigest()
    assert result.size_bytes == len(content)
    assert 0 <= result.max_difference < 1e-4
    assert result.metrics is not None
    assert {name for name, value in result.metrics if value is not None} == METRICS


def test_the_model_runs(exported: tuple[Pod, ExportResult, bytes]) -> None:
    session = onnxruntime.InferenceSession(exported[2])
    (images,) = session.get_inputs()
    assert (images.name, images.shape) == ("images", [1, 3, 64, 64])
    (output,) = session.run(None, {"images": np.zeros((1, 3, 64, 64), np.float32)})
    assert output.shape == (1, 5, 84)
    assert [entry.version for entry in onnx.load_from_string(exported[2]).opset_import] == [18]


def test_the_metadata_say_what_it_is_and_not_where_it_was_made(
    exported: tuple[Pod, ExportResult, bytes], trained: Training
) -> None:
    model = onnx.load_from_string(exported[2])
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert ast.literal_eval(metadata["names"]) == {0: "coin"}
    assert ast.literal_eval(metadata["imgsz"]) == [64, 64]
    assert (metadata["task"], metadata["stride"]) == ("detect", "32")
    assert metadata["sealyard.checkpointSha256"] == trained.result.artifacts[0].sha256
    assert (metadata["sealyard.model"], metadata["sealyard.version"]) == ("coins", "1.0.0")
    assert "AGPL-3.0" in metadata["license"]
    assert "date" not in metadata
    assert not ABSOLUTE_PATH.search(exported[2])


def test_nothing_is_reached_or_written_elsewhere(
    exported: tuple[Pod, ExportResult, bytes],
) -> None:
    pod = exported[0]
    assert pod.watched("network") == set()
    allowed = (*(str(path) for path in (pod.root, pod.workspace)), "/dev/null", "/proc/self/")
    assert {path for path in pod.watched("write") if not path.startswith(allowed)} == set()


def test_again_gives_the_same_answer_without_work(
    exported: tuple[Pod, ExportResult, bytes], make_pod: MakePod, trained: Training
) -> None:
    pod = make_pod(exported[0].workspace)
    assert export(pod, export_task(trained, attempt=2)) == exported[1]
    assert "its answer is given again" in pod.log_file.read_text()


def test_a_model_that_was_changed_is_made_again_with_the_same_bytes(
    exported: tuple[Pod, ExportResult, bytes], make_pod: MakePod, trained: Training
) -> None:
    pod, result, content = exported
    (pod.workspace / result.path).write_bytes(content[:-1] + b"?")
    again = make_pod(pod.workspace)
    assert export(again, export_task(trained, attempt=2)) == result
    assert (pod.workspace / result.path).read_bytes() == content


def test_a_dynamic_export_takes_other_sizes(
    workspace: Path, make_pod: MakePod, trained: Training
) -> None:
    task = export_task(trained, variant=variant("any-size", dynamic=True, opset=17))
    result = export(make_pod(workspace), task)
    session = onnxruntime.InferenceSession((workspace / result.path).read_bytes())
    (output,) = session.run(None, {"images": np.zeros((3, 3, 96, 160), np.float32)})
    assert output.shape == (3, 5, 315)


@pytest.mark.parametrize(("precision", "bounds"), [("fp16", (0.55, 0.02)), ("int8", (0.4, 0.05))])
def test_lower_precision_needs_less_room_and_takes_the_same_input(
    exported: tuple[Pod, ExportResult, bytes],
    make_pod: MakePod,
    trained: Training,
    precision: str,
    bounds: tuple[float, float],
) -> None:
    workspace = exported[0].workspace
    task = export_task(trained, variant=variant(precision, precision=precision))
    result = export(make_pod(workspace), task)
    assert result.size_bytes < bounds[0] * exported[1].size_bytes
    assert exported[1].max_difference < result.max_difference < bounds[1]
    content = (workspace / result.path).read_bytes()
    metadata = {e.key: e.value for e in onnx.load_from_string(content).metadata_props}
    assert metadata["sealyard.precision"] == precision
    assert ast.literal_eval(metadata["names"]) == {0: "coin"}
    assert not ABSOLUTE_PATH.search(content)
    session = onnxruntime.InferenceSession(content)
    (output,) = session.run(None, {"images": np.zeros((1, 3, 64, 64), np.float32)})
    assert (output.shape, output.dtype) == ((1, 5, 84), np.float32)
    (workspace / result.path).unlink()
    assert export(make_pod(workspace), task.model_copy(update={"attempt": 2})) == result


def test_a_validation_set_that_changed_judges_nothing(
    workspace: Path, make_pod: MakePod, trained: Training, coins: Path, tmp_path: Path
) -> None:
    volume = Path(shutil.copytree(coins, tmp_path / "volume"))
    task = export_task(trained, variant=variant("other-set"))
    label = next((volume / "coins/labels/val").glob("*.txt"))
    label.chmod(0o644)
    label.write_text(label.read_text() + "0 0.5 0.5 0.1 0.1\n")
    pod = make_pod(workspace, dataset=volume)
    assert pod.run("sealyard-exporter", task) == 65
    assert pod.answer().message.startswith("the validation set changed since the training")
    # What is trained on is not looked at: an export has nothing to do with it.
    label.write_text((coins / label.relative_to(volume)).read_text())
    for picture in (volume / "coins/images/train").iterdir():
        picture.parent.chmod(0o755)
        picture.chmod(0o644)
        picture.write_bytes(b"")
        break
    export(make_pod(workspace, dataset=volume), task)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_path": "gears"}, "dataset: there is no folder gears in the dataset's volume"),
        ({"run_path": "team/other"}, "dataset.lock is not in team/other"),
    ],
)
def test_without_what_judges_it_nothing_is_exported(
    workspace: Path, make_pod: MakePod, trained: Training, changes: dict[str, Any], message: str
) -> None:
    pod = make_pod(workspace)
    task = export_task(trained, variant=variant("unjudged"), **changes)
    assert pod.run("sealyard-exporter", task) == 66
    assert pod.answer().message.startswith(message)


def test_a_checkpoint_that_is_not_the_one_that_was_reported(
    workspace: Path, make_pod: MakePod, trained: Training
) -> None:
    pod = make_pod(workspace)
    wrong = export_task(trained, variant=variant("wrong"), checkpoint_sha256="0" * 64)
    assert pod.run("sealyard-exporter", wrong) == 65
    message = pod.answer().message
    assert message.startswith(f"{RUN_PATH}/best.pt has the SHA-256 ")
    assert message.endswith("it was changed after the training")
    assert not list((workspace / "coins-1-abcdef0123/exports/wrong").glob("*.onnx"))


def test_a_checkpoint_that_is_gone(workspace: Path, make_pod: MakePod, trained: Training) -> None:
    pod = make_pod(workspace)
    gone = export_task(trained, variant=variant("gone"), checkpoint_path="nowhere/best.pt")
    assert pod.run("sealyard-exporter", gone) == 66
    assert pod.answer().message.startswith("nowhere/best.pt is not in the workspace")
