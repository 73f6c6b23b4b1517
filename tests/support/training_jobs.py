"""Training tasks that are as short as they can be, and what a whole training left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sealyard.api.answers import TrainResult
from sealyard.api.progress import ProgressReport
from sealyard.api.tasks import Owner, TrainTask
from sealyard.api.training_run import Hyperparameters, ModelScale, ModelSpec
from support.job_programs import Pod
from support.progress_server import progress_server

RUN_PATH = "team/coins-0123456789"
EPOCHS = 3
LEARNING_EPOCHS = 40
"""So many that equal models have equal figures: mAP50 0.92 on a processor, in two minutes."""
RECEIVED = "received.json"

MakePod = Callable[..., Pod]


def train_task(**changes: Any) -> TrainTask:
    """A training that is as short as one can be and still learns something."""
    task = TrainTask(
        owner=Owner(namespace="default", name="coins", uid="run-1"),
        attempt=1,
        model=ModelSpec(architecture="yolo11n.yaml", scale=ModelScale(width=0.5)),
        hyperparameters=Hyperparameters(
            epochs=EPOCHS,
            image_size=64,
            batch=8,
            seed=1,
            optimizer="AdamW",
            extra={"lr0": 0.002, "mosaic": 0.0, "nbs": 8, "warmup_epochs": 0},
        ),
        dataset_path="coins",
        run_path=RUN_PATH,
    )
    return task.model_copy(update=changes)


def with_epochs(epochs: int) -> Hyperparameters:
    """The same hyperparameters for another number of epochs, without plots: they take seconds."""
    hyperparameters = train_task().hyperparameters
    extra = {**(hyperparameters.extra or {}), "plots": False}
    return hyperparameters.model_copy(update={"epochs": epochs, "extra": extra})


@dataclass(frozen=True)
class Training:
    """A training that went well, and what was seen of it."""

    pod: Pod
    result: TrainResult
    reports: list[ProgressReport]
    tokens: list[str]

    @classmethod
    def load(cls, root: Path) -> Self:
        """What `train` left in a folder."""
        seen = json.loads((root / RECEIVED).read_text())
        pod = Pod(root=root, workspace=root / "workspace", dataset=Path(seen["dataset"]))
        return cls(
            pod=pod,
            result=TrainResult.model_validate(pod.answer().result),
            reports=[ProgressReport.model_validate(report) for report in seen["reports"]],
            tokens=seen["tokens"],
        )

    @property
    def folder(self) -> Path:
        """The run's folder in the workspace."""
        return self.pod.workspace / RUN_PATH


def train(root: Path, dataset: Path, **changes: Any) -> None:
    """Train to the end in `root`, and write down what the progress endpoint received."""
    token = root / "token"
    token.write_text("a projected token")
    pod = Pod(root=root, workspace=root / "workspace", dataset=dataset, token=token)
    with progress_server(root / "server") as received:
        task = train_task(progress=received.endpoint, **changes)
        exit_code = pod.run("sealyard-trainer", task)
    assert exit_code == 0, pod.log_file.read_text()
    seen = {
        "dataset": str(dataset),
        "reports": [report.to_wire() for report in received.reports],
        "tokens": received.tokens,
    }
    (root / RECEIVED).write_text(json.dumps(seen))
