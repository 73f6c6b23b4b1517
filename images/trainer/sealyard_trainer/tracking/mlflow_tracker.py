"""Tells MLflow of each epoch, in the background and as well as it can.

Training neither waits for it nor fails by it. What cannot be delivered is kept, a row an epoch,
and tried again; what is left when the training ends is counted, and the next attempt delivers it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from sealyard.api.tasks import RemoteMlflow, TrainTask
from sealyard.errors import SealyardError
from sealyard.jobs.mounts import Mounts
from sealyard_trainer.curve import Point
from sealyard_trainer.tracking.mlflow_api import MlflowApi
from sealyard_trainer.tracking.mlflow_plan import (
    MlflowRun,
    Status,
    batches,
    missing_parameters,
    search_filter,
    tags,
)

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
CLOSING_SECONDS = 20.0
"""How long a training that has ended waits for the rest to be delivered."""
INTERRUPTED_SECONDS = 5.0
"""The same after a signal, which leaves 15 s for everything."""

logger = logging.getLogger(__name__)


class MlflowTracker:
    """Delivers to one run, which is found again by its tags."""

    def __init__(
        self,
        task: TrainTask,
        remote: RemoteMlflow,
        mounts: Mounts,
        *,
        dataset_digest: str,
        former: Sequence[Point],
        closing_seconds: float = CLOSING_SECONDS,
    ) -> None:
        self._task = task
        self._remote = remote
        self._mounts = mounts
        self._digest = dataset_digest
        self._closing_seconds = closing_seconds
        self._change = threading.Condition()
        self._left = deque(former)
        self._ending = False
        self._status: Status | None = None
        # Of the thread alone until it has ended:
        self._api: MlflowApi | None = None
        self._run: MlflowRun | None = None
        self._failures = 0
        self._reason = ""
        self._done = False
        self._thread = threading.Thread(target=self._deliver, name="mlflow", daemon=True)
        self._thread.start()

    def add(self, point: Point) -> None:
        """Have an epoch delivered."""
        with self._change:
            self._left.append(point)
            self._change.notify()

    def end(self, status: Status | None) -> str | None:
        """Deliver what is left, for a moment at most.

        Args:
            status: how the run ended; None if that is not for this attempt to say.

        Returns:
            What could not be delivered, in one line; None if all was.
        """
        with self._change:
            self._status = status
            self._ending = True
            self._change.notify()
        ended = status in ("FINISHED", "FAILED")
        seconds = self._closing_seconds if ended else INTERRUPTED_SECONDS
        self._thread.join(seconds)
        with self._change:
            left = len(self._left)
            if self._done and not left:
                return None
        reason = self._reason or f"no answer within {seconds:.0f} s"
        lost = f"the figures of {left} epochs" if left else "how the run ended"
        return f"MLflow was not told {lost}: {reason}"

    def _deliver(self) -> None:
        ending = False
        while not ending:
            with self._change:
                self._change.wait_for(self._is_due)
                ending = self._ending
            try:
                self._send(ending=ending)
            except SealyardError as error:
                self._failed(str(error))
                self._wait()
            else:
                self._failures = 0
        if self._api:
            self._api.close()

    def _is_due(self) -> bool:
        return self._ending or self._run is None or bool(self._left)

    def _send(self, *, ending: bool) -> None:
        if self._api is None:
            self._api = MlflowApi.mounted(self._remote, self._mounts)
        run = self._run or self._open(self._api)
        with self._change:
            points = list(self._left)
        self._forget(run.last_epoch)
        for newest, metrics in batches(points, run, after=run.last_epoch):
            self._api.log(run.run_id, metrics=metrics)
            self._forget(newest)
        if ending:
            if self._status:
                self._api.set_status(run.run_id, self._status, _now_ms())
            self._done = True

    def _open(self, api: MlflowApi) -> MlflowRun:
        task, digest = self._task, self._digest
        experiment = api.experiment(self._remote.experiment)
        run = api.find_run(experiment, search_filter(task, digest))
        if run is None:
            run = api.create_run(experiment, task.owner.name, tags(task, digest), _now_ms())
            logger.info("MLflow: a new run %s", run.run_id)
        else:
            api.set_status(run.run_id, "RUNNING")
            logger.info("MLflow: going on in run %s after epoch %d", run.run_id, run.last_epoch)
        missing = missing_parameters(task, digest, self._remote.image, run.parameters)
        api.log(run.run_id, params=missing, tags=tags(task, digest))
        self._run = run
        return run

    def _forget(self, epoch: int) -> None:
        """What is up to an epoch is delivered."""
        with self._change:
            while self._left and self._left[0].epoch <= epoch:
                self._left.popleft()

    def _failed(self, reason: str) -> None:
        if reason != self._reason:
            logger.warning("%s; training goes on", reason)
        self._reason = reason
        self._failures += 1

    def _wait(self) -> None:
        """Before the next try, unless the training ends."""
        pause = min(FIRST_PAUSE_SECONDS * (1 << min(self._failures - 1, 8)), LONGEST_PAUSE_SECONDS)
        with self._change:
            self._change.wait_for(lambda: self._ending, pause)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
