"""What a report becomes in the status of the object that it is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sealyard.api.annotation_route import AnnotationRoute, Filing
from sealyard.api.filing import FilingReport
from sealyard.api.kind import API_VERSION, CustomResource
from sealyard.api.progress import ProgressReport
from sealyard.api.tasks import Owner
from sealyard.api.training_run import Progress, TrainingRun
from sealyard.core.times import format_time


def progress_body(report: ProgressReport, now: datetime) -> dict[str, Any]:
    """The body of the server-side apply: `status.progress`, its strings in `status.summary`, and
    where the attempt went on.

    The uid is a precondition: a run of the same name in another life is left alone.
    """
    progress = Progress(
        epoch=report.epoch,
        epochs=report.epochs,
        percent=int(report.fraction * 100),
        eta_seconds=report.eta_seconds,
        metrics=report.metrics,
        updated_at=format_time(now),
    )
    summary = {"progress": f"{progress.percent} %", "epoch": f"{report.epoch}/{report.epochs}"}
    if report.eta_seconds is not None:
        summary["eta"] = duration(report.eta_seconds)
    if report.metrics is not None and report.metrics.map50_95 is not None:
        summary["map50_95"] = f"{report.metrics.map50_95:.3f}"
    status: dict[str, Any] = {"progress": progress.to_wire(), "summary": summary}
    if report.resumed_from_epoch is not None:
        status["resumedFromEpoch"] = report.resumed_from_epoch
    return _body(TrainingRun, report.run, status)


def filing_body(report: FilingReport, now: datetime) -> dict[str, Any]:
    """The same of a route: `status.filing` and its strings in `status.summary`."""
    figures = report.model_dump(exclude={"route"})
    filing = Filing(**figures, updated_at=format_time(now))
    lag = "unknown" if report.lag is None else str(report.lag)
    return _body(
        AnnotationRoute, report.route, {"filing": filing.to_wire(), "summary": {"lag": lag}}
    )


def _body(kind: type[CustomResource], owner: Owner, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind.KIND,
        "metadata": {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid},
        "status": status,
    }


def duration(seconds: int) -> str:
    """A time to wait as people say it: `45s`, `4m`, `2h5m`, `3d4h`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{rest}s"
