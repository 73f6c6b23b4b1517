"""What a TrainingRun leaves for others to go on with."""

from __future__ import annotations

from sealyard.api.training_run import Artifact, TrainingRun

CHECKPOINT = "best.pt"


def checkpoint_of(run: TrainingRun) -> Artifact | None:
    """The trained model among the run's artifacts."""
    return next((a for a in run.status.artifacts or [] if a.name == CHECKPOINT), None)
