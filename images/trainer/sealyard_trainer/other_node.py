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
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.offline import work_offline
from sealyard.jobs.workspace import below
from sealyard_trainer.dataset import Dataset, read_dataset
from sealyard_trainer.dataset_source import is_fetched, look_at, obtain
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.processes import Crew, Meeting, beside_another_node
from sealyard_trainer.run_folder import RunFolder
from sealyard_trainer.shared_start import SHARED_FILE, read_shared_start
from sealyard_trainer.weights_file import fetch_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """What each process of this node is given."""

    task: TrainTask
    arguments: Mapping[str, Any]
    folder: Path
    """The run's, in the workspace that the first node writes to, or in this one's own copy."""
    digest: str | None
    """Of the dataset, where it is this node's own; else it is the very same."""
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
    folder = RunFolder(below(mounts.workspace, task.run_path), task.run_path)
    if task.has_copies:
        folder.open(mounts.workspace)
    dataset, digest = _dataset(task, mounts, folder)
    with tempfile.TemporaryDirectory(prefix="run-", dir=mounts.scratch) as private:
        view = Path(private, "dataset")
        view.mkdir()
        data = make_view(dataset, view)
        weights = None
        if task.weights:
            weights = fetch_weights(task.weights, mounts, Path(private))
        work_offline(mounts.scratch)
        logger.info("node %d of %d waits for the first one", meeting.index, meeting.nodes)
        part = _Part(task, arguments, folder.path, digest, data, weights)
        beside_another_node(Crew(count, Path(private), mounts, meeting), _support, part)
    return Answer(message=f"node {meeting.index} of {meeting.nodes} has done its part")


def _dataset(task: TrainTask, mounts: Mounts, folder: RunFolder) -> tuple[Dataset, str | None]:
    """What is learnt from; its digest where this node has fetched it for itself."""
    root, _ = obtain(task, mounts, folder.dataset)
    if not is_fetched(task):
        return read_dataset(root), None
    dataset, inspection = look_at(root)
    return dataset, inspection.digest


def _support(part: _Part) -> None:
    from sealyard_trainer import engine  # noqa: PLC0415 - ultralytics reads the environment

    task = part.task
    if task.has_copies:
        engine.meet(task.gpus, part.folder / SHARED_FILE)
    shared = read_shared_start(part.folder)
    if part.digest is not None:
        shared.check_dataset(part.digest)
    work = part.folder / shared.work
    training = engine.Training(
        model=task.model,
        arguments=part.arguments,
        data=part.data,
        gpus=task.gpus,
        folder=work,
        start=work / shared.start,
        resumes=shared.resumes,
        has_copies=task.has_copies,
        weights=(
            engine.Weights(part.weights, task.weights.sha256)
            if part.weights and task.weights
            else None
        ),
    )
    engine.train(training, None)
