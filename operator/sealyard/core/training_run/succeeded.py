"""The training is done: what its answer says becomes the run's status."""

from __future__ import annotations

from typing import Any

from sealyard.api.answers import TrainResult
from sealyard.api.conditions import Reason
from sealyard.api.training_run import Progress
from sealyard.core.conditions import ready
from sealyard.core.plan import Plan
from sealyard.core.times import format_time
from sealyard.core.training_run.situation import Situation


def succeeded(situation: Situation) -> Plan | None:
    """Writes the final figures, artifacts included."""
    result = situation.work.result
    if result is None:
        return None
    return situation.decide(
        "Succeeded",
        ready(Reason.SUCCEEDED, _message(situation, result)),
        status=_final_figures(situation, result),
    )


def _final_figures(situation: Situation, result: TrainResult) -> dict[str, Any]:
    end = situation.work.ledger.last_end
    time = end.time if end else format_time(situation.now)
    epochs = situation.run.spec.hyperparameters.epochs
    summary: dict[str, str | None] = {
        "progress": "100 %",
        "eta": "0s",
        "epoch": f"{result.epochs}/{epochs}",
    }
    if result.metrics.map50_95 is not None:
        summary["map50_95"] = f"{result.metrics.map50_95:.3f}"
    progress = Progress(
        epoch=result.epochs,
        epochs=epochs,
        percent=100,
        eta_seconds=0,
        metrics=result.metrics,
        updated_at=time,
    )
    return {
        "completionTime": time,
        "progress": progress.to_wire(),
        "resumedFromEpoch": result.resumed_from_epoch,
        "artifacts": [artifact.to_wire() for artifact in result.artifacts],
        "dataset": result.dataset.to_wire(),
        "summary": summary,
    }


def _message(situation: Situation, result: TrainResult) -> str:
    figures = []
    if result.metrics.map50 is not None:
        figures.append(f"mAP50 {result.metrics.map50:.3f}")
    if result.metrics.map50_95 is not None:
        figures.append(f"mAP50-95 {result.metrics.map50_95:.3f}")
    reached = f", {' and '.join(figures)}" if figures else ""
    started = ""
    if situation.weights and result.weights:
        weights = situation.weights
        named = f"TrainingRun {weights.training_run}" if weights.training_run else weights.path
        started = f", fine-tuned from {named}{result.weights.share}"
    snapshot = situation.run.status.snapshot
    taken = f" of AnnotationRoute {snapshot.route} at offset {snapshot.offset}" if snapshot else ""
    return (
        f"trained {result.epochs} epochs on {result.dataset.images} images{taken}{reached}{started}"
    )
