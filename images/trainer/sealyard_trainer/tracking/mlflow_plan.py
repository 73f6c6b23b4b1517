"""What MLflow is told of a run, as its REST API 2.0 takes it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sealyard.api.tasks import TrainTask
from sealyard_trainer.curve import Point
from sealyard_trainer.hyperparameters import to_arguments

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
UID_TAG, DATASET_TAG = "sealyard.uid", "sealyard.dataset"
MOST_METRICS = 1000
"""In one request; MLflow refuses more."""
MOST_CHARACTERS = 500
"""Of a parameter's value; older servers refuse more."""


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run that the server has."""

    run_id: str
    started_ms: int
    """Since 1970."""
    last_epoch: int = 0
    """The newest that it has figures of."""
    parameters: frozenset[str] = frozenset()
    """The names of those that it has."""


def search_filter(task: TrainTask, dataset_digest: str) -> str:
    """What finds the run of a TrainingRun again; one of another dataset is another training."""
    return f"tags.`{UID_TAG}` = '{task.owner.uid}' and tags.`{DATASET_TAG}` = '{dataset_digest}'"


def tags(task: TrainTask, dataset_digest: str) -> list[dict[str, str]]:
    """Whose run it is, and how many attempts there were."""
    owner = task.owner
    return _pairs(
        {
            UID_TAG: owner.uid,
            DATASET_TAG: dataset_digest,
            "sealyard.run": f"{owner.namespace}/{owner.name}",
            "sealyard.attempts": task.attempt,
        }
    )


def missing_parameters(
    task: TrainTask, dataset_digest: str, image: str, present: frozenset[str]
) -> list[dict[str, str]]:
    """The parameters that the server does not have yet; it refuses to change one.

    The image is the one of the first attempt that got through: later ones name it by its digest.
    """
    scale = {
        f"scale_{name}": value
        for name, value in (task.model.scale.to_wire() if task.model.scale else {}).items()
    }
    wanted = {
        "architecture": task.model.architecture,
        **scale,
        **to_arguments(task.hyperparameters),
        "dataset_digest": dataset_digest,
        "image": image,
    }
    return _pairs({name: value for name, value in wanted.items() if name not in present})


def batches(
    points: Sequence[Point], run: MlflowRun, *, after: int
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The figures of the epochs after one, in requests: the last epoch of each, and its metrics.

    An epoch's timestamp is the time it took to get there, counted from the start of the run, so
    that one that is sent twice, because an answer was lost, is the same both times.
    """
    newest, batch = after, list[dict[str, Any]]()
    for point in points:
        if point.epoch <= after:
            continue
        metrics = _metrics(point, run.started_ms)
        if batch and len(batch) + len(metrics) > MOST_METRICS:
            yield newest, batch
            batch = []
        batch += metrics
        newest = point.epoch
    if newest > after:
        yield newest, batch


def _metrics(point: Point, started_ms: int) -> list[dict[str, Any]]:
    timestamp = started_ms + round(point.seconds * 1000)
    return [
        {"key": _metric_name(name), "value": value, "timestamp": timestamp, "step": point.epoch}
        for name, value in point.figures.items()
    ]


def _metric_name(name: str) -> str:
    """MLflow takes no brackets; ultralytics' own integration drops them, too."""
    return name.replace("(", "").replace(")", "")


def _pairs(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)[:MOST_CHARACTERS]} for key, value in values.items()]
