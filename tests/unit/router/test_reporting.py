"""When a router reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sealyard.api.filing import FilingReport
from sealyard.api.tasks import Owner
from sealyard_router.reporting import HEARTBEAT_SECONDS, Reporting, start_reporting

OWNER = Owner(namespace="default", name="coins", uid="uid-1")


def report(offset: int = 10, **more: Any) -> FilingReport:
    figures = {"lag": 0, "validated": 1, "seed": 0, "rejected": 0, "unproven": 0} | more
    return FilingReport(route=OWNER, offset=offset, **figures)


class Heard:
    """What was handed over, and whether it was urgent."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, bool]] = []
        self.is_closed = False

    def report(self, report: FilingReport, *, urgent: bool = False) -> None:
        self.reports.append((report.offset, urgent))

    def close(self) -> None:
        self.is_closed = True


def away(offset: int) -> FilingReport:
    return report(offset, problem="BrokerUnavailable")


@pytest.mark.parametrize(
    ("told", "handed"),
    [
        ([(0.0, report(1))], [(1, True)]),
        ([(0.0, report(1)), (1.0, report(1))], [(1, True)]),
        ([(0.0, report(1)), (1.0, report(2))], [(1, True), (2, False)]),
        ([(0.0, report(1)), (HEARTBEAT_SECONDS, report(1))], [(1, True), (1, False)]),
        (
            [(0.0, report(1)), (50.0, report(2)), (100.0, report(2))],
            [(1, True), (2, False)],
        ),
        (
            [(0.0, report(1)), (1.0, away(1)), (2.0, away(2)), (3.0, report(2))],
            [(1, True), (1, True), (2, False), (2, True)],
        ),
    ],
    ids=["first", "the same", "news", "a heartbeat", "counted from the last", "trouble"],
)
def test_what_is_handed_over(
    told: list[tuple[float, FilingReport]], handed: list[tuple[int, bool]]
) -> None:
    heard, now = Heard(), [0.0]
    reporting = Reporting(heard, lambda: now[0])
    for now[0], one in told:
        reporting.tell(one)
    assert heard.reports == handed
    reporting.close()
    assert heard.is_closed


def test_without_an_endpoint_nothing_is_said(tmp_path: Path) -> None:
    reporting = start_reporting(None, tmp_path / "token")
    reporting.tell(report())
    reporting.close()
