"""One attempt at a training, from the task to the answer."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealyard.api.answers import Answer, TrainResult
from sealyard.api.tasks import TrainTask
from sealyard.errors import InvalidError
from sealyard.jobs.done import Done, parse_requested_at, remove_done, write_done
from sealyard.jobs.lock import WorkspaceLock, pod_uid
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.offline import work_offline
from sealyard.jobs.process import interrupt_on
from sealyard.jobs.workspace import below, write_atomic
from sealyard_trainer.assignment import Assignment, Outcome, Place, lead, support
from sealyard_trainer.attempts import Attempt, note_attempt
from sealyard_trainer.curve import Curve, read_points
from sealyard_trainer.dataset_lock import (
    Verdict,
    compare_with_lock,
    is_pinned,
    read_lock,
    write_lock,
)
from sealyard_trainer.dataset_source import look_at, obtain
from sealyard_trainer.dataset_view import make_view
from sealyard_trainer.hyperparameters import to_arguments
from sealyard_trainer.liveness import so_far, telling, trained
from sealyard_trainer.other_node import train_beside
from sealyard_trainer.processes import (
    INTERRUPTED,
    Crew,
    Meeting,
    check_shares,
    in_processes,
)
from sealyard_trainer.progress_client import start_progress
from sealyard_trainer.remote_workspace import kept
from sealyard_trainer.run_folder import REPORT, RunFolder
from sealyard_trainer.shared_start import SharedStart, write_shared_start
from sealyard_trainer.tracking.tracking import Tracking
from sealyard_trainer.weights_file import fetch_weights

GRACE_SECONDS = 100.0
"""From SIGTERM to the end, the last upload included; the pod has 120."""
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
PACKAGES = ("sealyard", "torch", "ultralytics-opencv-headless")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Hold:
    """What this pod has of the run."""

    folder: RunFolder
    lock: WorkspaceLock
    former: Sequence[Path]
    """Ultralytics' folders that were there when it took the lock."""
    alive: contextlib.ExitStack
    """Ends after the last upload: until then somebody says that this pod lives."""


def run(task: TrainTask, mounts: Mounts) -> Answer:
    """Train, or give the answer of an earlier attempt that finished.

    Raises:
        SealyardError: see the exit codes of its classes.
        Interrupted: another pod has taken over.
    """
    arguments = to_arguments(task.hyperparameters)
    meeting = _meeting(task)
    count = processes_of(task)
    check_shares(arguments, count * (meeting.nodes if meeting else 1))
    if meeting and meeting.index:
        return train_beside(task, mounts, arguments, count=count, meeting=meeting)
    folder = RunFolder(below(mounts.workspace, task.run_path), task.run_path)
    folder.open(mounts.workspace)
    interrupt_on({signal.SIGTERM: INTERRUPTED}, grace_seconds=GRACE_SECONDS)
    # Before anybody could tell the copy of a folder in a store that another pod has it.
    lock = WorkspaceLock(folder.path, pod_uid())
    lock.take()
    with contextlib.ExitStack() as alive, kept(task, mounts, folder):
        hold = _Hold(folder, lock, folder.work_folders(), alive)
        return _attempt(task, mounts, hold, arguments, meeting)


def _attempt(
    task: TrainTask,
    mounts: Mounts,
    hold: _Hold,
    arguments: Mapping[str, Any],
    meeting: Meeting | None,
) -> Answer:
    folder, lock = hold.folder, hold.lock
    lock.check()
    requested_at = parse_requested_at(task.requested_at)
    done = folder.finished(requested_at)
    if done is not None and done.owner_uid == task.owner.uid:
        logger.info("this run is done already; its answer is given again")
        return _give_again(done, task, mounts, hold)

    with _alive(task, mounts, folder, lock, requested_at) as lives:
        root, lineage = obtain(task, mounts, folder.dataset, lives)
        dataset, inspection = look_at(root, lives)
    inputs = {"dataset": inspection.digest, "software": software()}
    if lineage is not None:
        inputs["annotations"] = lineage.status.sha256
    weights = task.weights.sha256 if task.weights else None
    if weights:
        inputs["weights"] = weights
    if done is not None and done.serves(owner_uid=task.owner.uid, inputs=inputs):
        logger.info("an earlier run had the same inputs; its result is adopted")
        return _give_again(done, task, mounts, hold)

    verdict = compare_with_lock(
        folder.path,
        inspection,
        owner_uid=task.owner.uid,
        software=inputs["software"],
        weights=weights,
        requested_at=requested_at,
    )
    remove_done(folder.path)
    if verdict is Verdict.FRESH:
        folder.void()
    write_lock(
        folder.path,
        inspection,
        owner_uid=task.owner.uid,
        software=inputs["software"],
        weights=weights,
    )
    if lineage is not None:
        write_atomic(folder.lineage, lineage.content)
    with tempfile.TemporaryDirectory(prefix="run-", dir=mounts.scratch) as private:
        view = Path(private, "dataset")
        view.mkdir()
        data = make_view(dataset, view)
        annotations = lineage.status if lineage else None
        place = Place(folder, lock, dataset, inspection, data, Path(private), annotations)
        crew = Crew(processes_of(task), Path(private), mounts, meeting)
        result, untold = _train(task, mounts, place, arguments, crew)
    answer = Answer(message=_summary(task, result, untold), result=result.to_wire())
    hold.alive.enter_context(telling(task, mounts.progress_token, trained(task, result)))
    lock.check()
    write_done(folder.path, owner_uid=task.owner.uid, inputs=inputs, answer=answer)
    folder.tidy(lock, hold.former)
    return answer


def _give_again(done: Done, task: TrainTask, mounts: Mounts, hold: _Hold) -> Answer:
    """The answer of what is done; MLflow, which may not know of it yet, is told the curve."""
    result = TrainResult.model_validate(done.answer.result)
    hold.alive.enter_context(telling(task, mounts.progress_token, trained(task, result)))
    with Tracking(task, mounts, dataset_digest=result.dataset.digest, lock=None) as tracking:
        tracking.begin(read_points(hold.folder.curve), None)
    # Its pod may have died before it could do that, and this one may have fetched a dataset.
    hold.folder.tidy(hold.lock, hold.former)
    return done.answer


def software() -> str:
    """What the image trains with; another run's result is adopted only if it is the same."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def processes_of(task: TrainTask) -> int:
    """How many processes train on a node: one for each GPU."""
    return max(task.gpus, 1)


def _meeting(task: TrainTask) -> Meeting | None:
    """Where the nodes meet, if there are several; which of them this is, Kubernetes says."""
    nodes = task.nodes
    if nodes is None:
        return None
    index = os.environ.get(INDEX_VARIABLE, "")
    if not index.isdecimal() or int(index) >= nodes.count:
        raise InvalidError(
            f"{INDEX_VARIABLE} is {index or 'not set'}; a number below {nodes.count} is wanted, as "
            "an indexed Job sets it"
        )
    name = f"{task.owner.uid}-{task.attempt}"
    return Meeting(nodes.count, int(index), nodes.host, nodes.port, name)


@contextlib.contextmanager
def _alive(
    task: TrainTask,
    mounts: Mounts,
    folder: RunFolder,
    lock: WorkspaceLock,
    requested_at: datetime | None,
) -> Iterator[Callable[[], None]]:
    """What says, while a dataset is fetched and looked at, that this pod lives: it may take longer
    than an epoch."""
    # What is of another life may count for nothing.
    pinned = is_pinned(read_lock(folder.path), owner_uid=task.owner.uid, requested_at=requested_at)
    report = so_far(task, folder.epochs_kept if pinned else 0)
    progress = start_progress(task.progress, mounts.progress_token)

    def alive() -> None:
        lock.check()
        if progress:
            progress.report(report)

    try:
        yield alive
    finally:
        if progress:
            progress.close()


def _train(
    task: TrainTask,
    mounts: Mounts,
    place: Place,
    arguments: Mapping[str, Any],
    crew: Crew,
) -> Outcome:
    work_offline(mounts.scratch)
    from sealyard_trainer.layout import lay_out  # noqa: PLC0415 - ultralytics reads the environment

    checkpoints = place.folder.checkpoints()
    checkpoint = checkpoints.newest()
    resumes = checkpoint is not None
    done_epochs = checkpoint.epoch if checkpoint else 0
    if checkpoint:
        logger.info("resuming after epoch %d", done_epochs)
    weights = None
    if task.weights and checkpoint is None:
        weights = fetch_weights(task.weights, mounts, place.private)
    attempts = note_attempt(
        place.folder.path,
        Attempt(number=task.attempt, from_epoch=done_epochs, started_at=datetime.now(UTC)),
    )
    work = place.folder.make_work(place.lock.holder)
    curve = Curve(place.folder.curve, epochs=done_epochs)
    start = lay_out(work, task.model, checkpoint, curve)
    assignment = Assignment(
        task, mounts, place, arguments, checkpoint, weights, attempts, work, start
    )
    if crew.everybody == 1:
        return lead(assignment)
    if crew.meeting:
        shared = SharedStart(
            work=work.name,
            start=str(start.relative_to(work)),
            resumes=resumes,
            dataset=place.inspection.digest,
        )
        write_shared_start(place.folder.path, shared)
    return in_processes(crew, lead, support, assignment)


def _summary(task: TrainTask, result: TrainResult, untold: str | None) -> str:
    figures = result.metrics
    reported = any(artifact.name == REPORT for artifact in result.artifacts)
    started = ""
    if task.weights and result.weights:
        named = task.weights.training_run or task.weights.path
        started = f", fine-tuned from {named}{result.weights.share}"
    return (
        f"trained {result.epochs} epochs on {result.dataset.images} pictures: "
        f"mAP50 {figures.map50 or 0:.3f}, mAP50-95 {figures.map50_95 or 0:.3f}{started}"
        f"{'' if reported else '; no report could be made, the log says why'}"
        f"{f'; {untold}' if untold else ''}"
    )
