"""All that is told of a training beside its status, from its beginning to its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sealyard.api.tasks import TrainTask
from sealyard.errors import SealyardError
from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.process import Interrupted
from sealyard_trainer.curve import Point
from sealyard_trainer.tracking.event_file import EventFile
from sealyard_trainer.tracking.mlflow_plan import Status
from sealyard_trainer.tracking.mlflow_tracker import MlflowTracker

logger = logging.getLogger(__name__)


def status_of(error: type[BaseException] | None, *, superseded: bool) -> Status | None:
    """What MLflow calls the end of an attempt; None where a newer pod has the run."""
    if superseded:
        return None
    if error is None:
        return "FINISHED"
    return "KILLED" if issubclass(error, Interrupted) else "FAILED"


class Tracking:
    """A block that trains; at its end what is left is delivered, and how it ended.

    Args:
        task: what is trained, and where it is to be told.
        mounts: where logins and CAs lie.
        dataset_digest: what it is trained on.
        lock: tells whether a newer pod has the run; None where nothing is trained any more.
    """

    def __init__(
        self, task: TrainTask, mounts: Mounts, *, dataset_digest: str, lock: WorkspaceLock | None
    ) -> None:
        self._task = task
        self._mounts = mounts
        self._digest = dataset_digest
        self._lock = lock
        self._events: EventFile | None = None
        self._mlflow: MlflowTracker | None = None
        self.failure: str | None = None
        """After the block: what could not be delivered, in one line."""

    def begin(self, former: Sequence[Point], events: Path | None) -> None:
        """Go on after these epochs.

        Args:
            former: of all attempts before.
            events: the folder of TensorBoard's file; None where that is written already.
        """
        if events:
            self._events = EventFile(events, former)
        if self._task.mlflow:
            self._mlflow = MlflowTracker(
                self._task,
                self._task.mlflow,
                self._mounts,
                dataset_digest=self._digest,
                former=former,
            )

    def epoch(self, point: Point) -> None:
        """One more epoch, whose checkpoint is kept."""
        if self._events:
            self._events.add(point)
        if self._mlflow:
            self._mlflow.add(point)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._events:
            self._events.close()
        if self._mlflow:
            self.failure = self._mlflow.end(status_of(kind, superseded=self._superseded()))
            if self.failure:
                logger.warning("%s", self.failure)

    def _superseded(self) -> bool:
        try:
            if self._lock:
                self._lock.check()
        except Interrupted:
            return True
        except (SealyardError, OSError):
            return False  # the training ends by that, if it has not
        return False
