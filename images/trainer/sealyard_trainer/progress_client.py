"""Tells the operator how far a training is; the training never waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from sealyard.api.progress import PROGRESS_PATH, ProgressReport
from sealyard.api.tasks import ProgressEndpoint
from sealyard.delivery.report_client import ReportClient, start_reports

ProgressClient: TypeAlias = ReportClient[ProgressReport]


def start_progress(endpoint: ProgressEndpoint | None, token: Path) -> ProgressClient | None:
    """The client of an endpoint; None where there is none, or its CA cannot be read."""
    return start_reports(endpoint, PROGRESS_PATH, token, goes_on="training goes on")
