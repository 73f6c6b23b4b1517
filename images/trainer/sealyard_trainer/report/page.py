"""Draws a report: values in, one HTML page out that needs nothing but itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sealyard.pages.colours import colour
from sealyard.pages.environment import page_environment
from sealyard.pages.wording import label
from sealyard_trainer.report.charts import (
    Chart,
    chart_classes,
    chart_confusion,
    chart_losses,
    chart_metrics,
    chart_precision_recall,
    chart_sizes,
)
from sealyard_trainer.report.model import DatasetPart, Mark, Report, TrainingPart

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 50
"""Classes in the table of figures."""
MOST_ATTEMPTS = 20
MOST_LABELLED = 14
"""Boxes up to which each on a picture is named."""


def render(report: Report) -> str:
    """The page."""
    environment = page_environment(TEMPLATES)
    environment.globals |= {"colour": colour, "caption": _caption}
    return environment.get_template("report.html.j2").render(
        report=report,
        dataset=report.dataset,
        training=report.training,
        dataset_charts=_dataset_charts(report.dataset),
        most_rows=MOST_ROWS,
        most_attempts=MOST_ATTEMPTS,
        most_labelled=MOST_LABELLED,
        **(_training_values(report.training, report.dataset) if report.training else {}),
    )


def _dataset_charts(part: DatasetPart) -> list[Chart]:
    return [chart_classes(part), chart_sizes(part)]


def _training_values(part: TrainingPart, dataset: DatasetPart) -> dict[str, Any]:
    resumes = sorted({each.from_epoch for each in part.attempts if each.from_epoch})
    evaluation = part.evaluation
    result_charts = []
    if evaluation.classes:
        result_charts.append(chart_precision_recall(evaluation, dataset.names))
    if evaluation.confusion:
        result_charts.append(chart_confusion(evaluation, dataset.names))
    return {
        "curve_charts": [
            chart_metrics(part.curves, resumes),
            *chart_losses(part.curves, resumes),
        ],
        "result_charts": result_charts,
        "duration": str(timedelta(seconds=round(part.curves.seconds))),
    }


def _caption(mark: Mark, names: tuple[str, ...]) -> str:
    """What a box is said to be."""
    name = label(names[mark.class_index])
    return name if mark.confidence is None else f"{name} {mark.confidence:.2f}"
