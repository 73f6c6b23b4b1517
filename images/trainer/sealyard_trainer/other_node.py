"""What any but the first of several nodes does: it trains beside it, and writes nothing."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealyard.api.answers import Answer
from sealyard.api.tasks import TrainTask
from sealyard.errors import MissingError
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.offline import work_offline
from sealyard.jobs.workspace import below
from sealyard_trainer.dataset import read_dataset
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.processes import Crew, Meeting, beside_another_node
from sealyard_trainer.shared_start import read_shared_start
from sealyard_trainer.weights_file import fetch_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """What each process of this node is given."""

    task: TrainTask
    arguments: Mapping[str, Any]
    folder: Path
    """The run's, in the workspace that the first node writes to."""
    data: Path
    weights: Path | None


def train_beside(
    task: TrainTask,
    mounts: Mounts,
    arguments: Mapping[str, Any],
    *,
    count: int,
    meeting: Meeting,
) -> Answer:
    """Train what the first node trains, which has looked at the dataset and has the lock.

    Raises:
        SealyardError: see the exit codes of its classes.
        Interrupted: SIGTERM, or another process ended.
    """
    root = below(mounts.dataset, task.dataset_path)
    if not root.is_dir():
        raise MissingError("dataset: its folder is not there on this node")
    with tempfile.TemporaryDirectory(prefix="run-", dir=mounts.scratch) as private:
        view = Path(private, "dataset")
        view.mkdir()
        data = make_view(read_dataset(root), view)
        weights = None
        if task.weights:
            weights = fetch_weights(task.weights, mounts, Path(private))
        work_offline(mounts.scratch)
        logger.info("node %d of %d waits for the first one", meeting.index, meeting.nodes)
        part = _Part(task, arguments, below(mounts.workspace, task.run_path), data, weights)
        beside_another_node(Crew(count, Path(private), mounts, meeting), _support, part)
    return Answer(message=f"node {meeting.index} of {meeting.nodes} has done its part")


def _support(part: _Part) -> None:
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    task, shared = part.task, read_shared_start(part.folder)
    work = part.folder / shared.work
    training = engine.Training(
        model=task.model,
        arguments=part.arguments,
        data=part.data,
        gpus=task.gpus,
        folder=work,
        start=work / shared.start,
        resumes=shared.resumes,
        weights=(
            engine.Weights(part.weights, task.weights.sha256)
            if part.weights and task.weights
            else None
        ),
    )
    engine.train(training, None)
