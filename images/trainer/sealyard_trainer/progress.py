"""How far a training is, and how long the rest will take."""

from __future__ import annotations

from sealyard.api.progress import ProgressReport
from sealyard.api.tasks import Owner
from sealyard.api.training_run import Metrics

SMOOTHING = 0.3
"""The weight of the newest epoch in the expected time of the next."""


class Meter:
    """Counts epochs and batches, and expects the next epochs to take as long as the last ones.

    Args:
        owner: the run.
        epochs: how many there are to be.
        done: how many are in the checkpoint that this attempt goes on from.
        now: seconds of a clock that only grows.
    """

    def __init__(self, owner: Owner, *, epochs: int, done: int, now: float) -> None:
        self._owner = owner
        self._epochs = epochs
        self._resumed_from = done or None
        self._done = done
        self._part = 0.0
        self._epoch_started = now
        self._epoch_seconds: float | None = None
        self._metrics: Metrics | None = None

    def batch(self, part: float, now: float) -> ProgressReport:
        """After a batch: `part` of the current epoch is trained."""
        self._part = min(max(part, self._part), 1.0)
        return self.report(now)

    def epoch(self, metrics: Metrics, now: float) -> ProgressReport:
        """After an epoch was trained and validated."""
        seconds = now - self._epoch_started
        if self._epoch_seconds is not None:
            seconds = SMOOTHING * seconds + (1 - SMOOTHING) * self._epoch_seconds
        self._epoch_seconds = seconds
        self._epoch_started = now
        self._done += 1
        self._part = 0.0
        self._metrics = metrics
        return self.report(now)

    def finished(self, metrics: Metrics) -> ProgressReport:
        """At the end, which may come early: what is left to do is nothing."""
        return ProgressReport(
            run=self._owner,
            epoch=self._done,
            epochs=self._epochs,
            fraction=1.0,
            eta_seconds=0,
            metrics=metrics,
            resumed_from_epoch=self._resumed_from,
        )

    def report(self, now: float) -> ProgressReport:
        """As far as it is."""
        trained = self._done + self._part
        return ProgressReport(
            run=self._owner,
            epoch=self._done,
            epochs=self._epochs,
            fraction=min(trained / self._epochs, 1.0),
            eta_seconds=self._eta(now),
            metrics=self._metrics,
            resumed_from_epoch=self._resumed_from,
        )

    def _eta(self, now: float) -> int | None:
        seconds = self._epoch_seconds
        if seconds is None:
            # The first epoch: from what of it is trained, and not before there is something.
            if self._part < 0.1:
                return None
            seconds = (now - self._epoch_started) / self._part
        left = self._epochs - self._done - self._part
        return max(round(left * seconds), 0)
