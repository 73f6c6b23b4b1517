"""Says that a pod lives in the times in which it learns nothing: how far it is stays as it was.

What is done meanwhile ends by itself: a store that is away is given up, and a report is not long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealyard.api.answers import TrainResult
from sealyard.api.progress import ProgressReport
from sealyard.api.tasks import TrainTask
from sealyard_trainer.progress_client import ProgressClient, start_progress

SECONDS = 15.0
"""Between two reports; the shortest spec.progressDeadlineSeconds is four times that."""


@contextmanager
def telling(task: TrainTask, token: Path, report: ProgressReport) -> Iterator[None]:
    """While the block lasts, the operator is told again and again how far the run is."""
    client = start_progress(task.progress, token)
    try:
        with repeating(client, report):
            yield
    finally:
        if client:
            client.close()


@contextmanager
def repeating(
    client: ProgressClient | None, report: ProgressReport, *, seconds: float = SECONDS
) -> Iterator[None]:
    """The same through a client that there is already, if there is one."""
    if client is None:
        yield
        return
    ended = threading.Event()

    def repeat() -> None:
        client.report(report, urgent=True)
        while not ended.wait(seconds):
            client.report(report)

    thread = threading.Thread(target=repeat, name="liveness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def trained(task: TrainTask, result: TrainResult) -> ProgressReport:
    """How far a run is that has learnt all it will."""
    return ProgressReport(
        run=task.owner,
        epoch=result.epochs,
        epochs=task.hyperparameters.epochs,
        fraction=1.0,
        eta_seconds=0,
        metrics=result.metrics,
        resumed_from_epoch=result.resumed_from_epoch,
    )


def so_far(task: TrainTask, epochs: int) -> ProgressReport:
    """How far a run is that goes on from a checkpoint of so many epochs, or begins with none."""
    all_of_them = task.hyperparameters.epochs
    return ProgressReport(
        run=task.owner,
        epoch=epochs,
        epochs=all_of_them,
        fraction=min(epochs / all_of_them, 1.0),
        resumed_from_epoch=epochs or None,
    )
