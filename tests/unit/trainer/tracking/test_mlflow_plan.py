"""What MLflow is told, and what it is not told again."""

from __future__ import annotations

import pytest

from sealyard.jobs.process import Interrupted
from sealyard_trainer.curve import Point
from sealyard_trainer.tracking.mlflow_plan import (
    MlflowRun,
    batches,
    missing_parameters,
    search_filter,
    tags,
)
from sealyard_trainer.tracking.tracking import status_of
from support.training_jobs import train_task

RUN = MlflowRun("r1", started_ms=1_000_000)
POINTS = [
    Point(epoch, epoch * 1.5, {"metrics/mAP50(B)": epoch / 10, "lr/pg0": 0.01})
    for epoch in (1, 2, 3)
]


def test_an_epoch_is_a_step_at_the_time_it_took() -> None:
    assert list(batches(POINTS[:1], RUN, after=0)) == [
        (
            1,
            [
                {"key": "metrics/mAP50B", "value": 0.1, "timestamp": 1_001_500, "step": 1},
                {"key": "lr/pg0", "value": 0.01, "timestamp": 1_001_500, "step": 1},
            ],
        )
    ]


@pytest.mark.parametrize(
    ("after", "sent"), [(0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (3, []), (9, [])]
)
def test_what_the_server_has_is_not_sent_again(after: int, sent: list[int]) -> None:
    steps = [metric["step"] for _, batch in batches(POINTS, RUN, after=after) for metric in batch]
    assert steps == [step for step in sent for _ in range(2)]


def test_a_long_curve_goes_in_requests_that_mlflow_takes_and_no_epoch_is_torn() -> None:
    points = [Point(epoch, 1.0, {str(n): 0.0 for n in range(3)}) for epoch in range(1, 1001)]
    requests = list(batches(points, RUN, after=0))
    assert [(newest, len(batch)) for newest, batch in requests] == [
        (333, 999),
        (666, 999),
        (999, 999),
        (1000, 3),
    ]


def test_an_epoch_without_a_figure_counts_as_told() -> None:
    assert list(batches([Point(1, 1.0, {})], RUN, after=0)) == [(1, [])]


def test_parameters_are_told_once() -> None:
    task, image = train_task(), "registry.test/trainer@sha256:0"
    all_of_them = missing_parameters(task, "d1", image, frozenset())
    values = {each["key"]: each["value"] for each in all_of_them}
    assert values.items() >= {
        ("architecture", "yolo11n.yaml"),
        ("scale_width", "0.5"),
        ("epochs", "3"),
        ("imgsz", "64"),
        ("lr0", "0.002"),
        ("dataset_digest", "d1"),
        ("image", image),
    }
    assert missing_parameters(task, "d1", "another", frozenset(values)) == []
    (left,) = missing_parameters(task, "d1", image, frozenset(values) - {"image"})
    assert left == {"key": "image", "value": image}


def test_a_run_is_found_by_whose_it_is_and_what_it_learns_from() -> None:
    assert search_filter(train_task(), "d1") == (
        "tags.`sealyard.uid` = 'run-1' and tags.`sealyard.dataset` = 'd1'"
    )
    assert tags(train_task(attempt=3), "d1") == [
        {"key": "sealyard.uid", "value": "run-1"},
        {"key": "sealyard.dataset", "value": "d1"},
        {"key": "sealyard.run", "value": "default/coins"},
        {"key": "sealyard.attempts", "value": "3"},
    ]


@pytest.mark.parametrize(
    ("error", "superseded", "status"),
    [
        (None, False, "FINISHED"),
        (Interrupted, False, "KILLED"),
        (MemoryError, False, "FAILED"),
        (Interrupted, True, None),
        (None, True, None),
    ],
)
def test_how_a_run_ended(
    error: type[BaseException] | None, superseded: bool, status: str | None
) -> None:
    assert status_of(error, superseded=superseded) == status
