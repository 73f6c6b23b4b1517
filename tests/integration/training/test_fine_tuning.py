"""A training that starts from an earlier one's model, and what it does not start from."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.answers import TrainResult
from sealyard.api.tasks import TrainTask
from sealyard.api.training_run import ModelScale, ModelSpec, PinnedWeights
from support.job_programs import TIMEOUT_SECONDS, Pod, wait_until
from support.training_jobs import RUN_PATH, MakePod, Training, train_task, with_epochs

pytestmark = [pytest.mark.training, pytest.mark.timeout(TIMEOUT_SECONDS)]

BEST = f"{RUN_PATH}/best.pt"
ARCHITECTURE = "yolo11n.yaml"


def pinned(volume: Path, path: str = BEST, **changes: Any) -> PinnedWeights:
    """A file as the operator pins it."""
    digest = hashlib.sha256((volume / path).read_bytes()).hexdigest()
    weights = PinnedWeights(claim_name="work", path=path, sha256=digest, training_run="base")
    return weights.model_copy(update=changes)


def fine_tuning(weights: PinnedWeights, *, epochs: int = 1, **changes: Any) -> TrainTask:
    return train_task(
        task_version=2, weights=weights, hyperparameters=with_epochs(epochs), **changes
    )


def first_loss(workspace: Path) -> float:
    """Of the classes, in the first epoch."""
    text = (workspace / RUN_PATH / "results.csv").read_text()
    return float(next(csv.DictReader(text.splitlines()))["train/cls_loss"])


def test_it_begins_with_what_was_learnt(trained: Training, make_pod: MakePod) -> None:
    volume = trained.pod.workspace
    pod = make_pod(weights=volume)
    weights = pinned(volume)
    assert pod.run("sealyard-trainer", fine_tuning(weights)) == 0, pod.log_file.read_text()
    result = TrainResult.model_validate(pod.answer().result)
    assert result.weights is not None
    assert result.weights.sha256 == weights.sha256
    assert result.weights.taken == result.weights.tensors
    share = f"{result.weights.taken} of {result.weights.tensors} tensors"
    assert f", fine-tuned from base ({share})" in pod.answer().message
    assert f"fine-tuning: {share} taken" in pod.log_file.read_text()
    assert first_loss(pod.workspace) != first_loss(volume), "the same seed, from scratch"
    lock = json.loads((pod.workspace / RUN_PATH / "dataset.lock").read_text())
    assert lock["weights"] == weights.sha256


def test_it_resumes_from_its_own_checkpoint(
    trained: Training, make_pod: MakePod, tmp_path: Path
) -> None:
    task = fine_tuning(pinned(trained.pod.workspace), epochs=3)
    pod = make_pod(weights=trained.pod.workspace)
    process = pod.start("sealyard-trainer", task)
    try:
        record = pod.workspace / RUN_PATH / "checkpoints/epoch-000001.json"
        wait_until(record.exists, process, pod)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
    finally:
        process.kill()
        process.wait()
    again = make_pod(weights=tmp_path / "nothing is mounted")
    assert again.run("sealyard-trainer", task.model_copy(update={"attempt": 2})) == 0
    result = TrainResult.model_validate(again.answer().result)
    assert (result.resumed_from_epoch or 0) >= 1
    assert result.weights is not None
    assert result.weights.taken is None
    assert ", fine-tuned from base" in again.answer().message


class Bomb:
    """Touches a file when it is unpickled by whoever lets it."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._proof,)


def bare_bomb(proof: Path, path: Path) -> None:
    path.write_bytes(pickle.dumps({"model": Bomb(proof)}))


def packed_bomb(proof: Path, path: Path) -> None:
    import torch  # noqa: PLC0415 - seconds that only this test needs

    torch.save({"model": Bomb(proof), "ema": None}, path)


@pytest.mark.parametrize("make_bomb", [bare_bomb, packed_bomb])
def test_a_file_that_would_run_code_is_refused(
    make_pod: MakePod, tmp_path: Path, make_bomb: Callable[[Path, Path], None]
) -> None:
    volume, proof = tmp_path / "weights", tmp_path / "it-ran"
    volume.mkdir()
    make_bomb(proof, volume / "model.pt")
    pickle.loads(pickle.dumps(Bomb(proof)))  # noqa: S301 - our own, to see that it would
    assert proof.exists()
    proof.unlink()
    pod = make_pod(weights=volume)
    assert pod.run("sealyard-trainer", fine_tuning(pinned(volume, "model.pt"))) == 64
    assert "spec.model.weights is no checkpoint that can be loaded safely" in pod.answer().message
    assert not proof.exists()


def elsewhere(volume: Path) -> dict[str, Any]:
    return {"weights": pinned(volume, sha256="0" * 64)}


def gone(volume: Path) -> dict[str, Any]:
    return {"weights": pinned(volume).model_copy(update={"path": "gone.pt"})}


def smaller(volume: Path) -> dict[str, Any]:
    model = ModelSpec(architecture=ARCHITECTURE, scale=ModelScale(width=0.25))
    return {"weights": pinned(volume), "model": model}


@pytest.mark.parametrize(
    ("changes", "exit_code", "said"),
    [
        (elsewhere, 65, f"{'0' * 64} is wanted; put that file back, or create a new TrainingRun"),
        (gone, 66, "spec.model.weights: gone.pt in claim work is not there"),
        (smaller, 64, "spec.model.architecture and scale make a yolo11n.yaml with"),
    ],
)
def test_what_it_does_not_start_from(
    trained: Training,
    make_pod: MakePod,
    changes: Callable[[Path], dict[str, Any]],
    exit_code: int,
    said: str,
) -> None:
    pod: Pod = make_pod(weights=trained.pod.workspace)
    assert pod.run("sealyard-trainer", fine_tuning(**changes(trained.pod.workspace))) == exit_code
    assert said in pod.answer().message


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("classes", "names"), [(3, ["a", "b", "c"]), (120, None)])
def test_other_classes_begin_anew(classes: int, names: list[str] | None) -> None:
    """Ours, in this process: the second is so many that the head itself is wider."""
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415 - after work_offline

    from sealyard_trainer.starting_point import transfer  # noqa: PLC0415 - as above

    source = DetectionModel(ARCHITECTURE, nc=1, verbose=False)
    target = DetectionModel(ARCHITECTURE, nc=classes, verbose=False)
    target.names = dict(enumerate(names or map(str, range(classes))))
    before = target.model[-1].cv3[0][-1].weight.shape[0]
    found = transfer(source, target, architecture=ARCHITECTURE, sha256="a" * 64)
    assert found.taken is not None
    assert found.tensors is not None
    assert 0 < found.tensors - found.taken <= 6, "a weight and a bias at each of three sizes"
    assert target.model[-1].cv3[0][-1].weight.shape[0] == before == classes
    assert (target.state_dict()["model.0.conv.weight"] == source.model[0].conv.weight).all()
