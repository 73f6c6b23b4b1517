"""Tells the operator how far the filing is; the filing never waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from sealyard.api.filing import FILING_PATH, FilingReport
from sealyard.api.tasks import ProgressEndpoint
from sealyard.delivery.report_client import ReportClient, start_reports

HEARTBEAT_SECONDS: Final = 60.0
"""How long the operator hears nothing where nothing changes; it takes three times that for dead."""


class Client(Protocol):
    """What delivers reports."""

    def report(self, report: FilingReport, *, urgent: bool = False) -> None:
        """Have a report delivered."""
        ...

    def close(self) -> None:
        """Deliver what is left, for a moment at most, and stop."""
        ...


class Reporting:
    """Reports what changed, and now and then that nothing did.

    Its user calls `tell` again and again: a router that hangs falls silent.

    Args:
        client: delivers; None where there is nobody to report to.
        clock: monotonic seconds.
    """

    def __init__(self, client: Client | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._told: FilingReport | None = None
        self._told_at = 0.0

    def tell(self, report: FilingReport) -> None:
        """Say how far it is. Costs next to nothing; the newest goes out every few seconds."""
        now, told = self._clock(), self._told
        if self._client is None or (report == told and now < self._told_at + HEARTBEAT_SECONDS):
            return
        self._told, self._told_at = report, now
        urgent = told is None or report.problem != told.problem
        self._client.report(report, urgent=urgent)

    def close(self) -> None:
        """Deliver what is left, for a moment at most, and stop."""
        if self._client is not None:
            self._client.close()


def start_reporting(endpoint: ProgressEndpoint | None, token: Path) -> Reporting:
    """Reporting to an endpoint, or to nobody.

    Args:
        endpoint: the operator's, if it has one.
        token: the file with the pod's token.
    """
    client: ReportClient[FilingReport] | None = start_reports(
        endpoint, FILING_PATH, token, goes_on="filing goes on"
    )
    return Reporting(client)
