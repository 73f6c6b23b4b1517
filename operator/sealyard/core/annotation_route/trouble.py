"""The router says that it cannot go on for now."""

from __future__ import annotations

from typing import Final

from sealyard.api.annotation_route import FilingProblem
from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan

REASONS: Final[dict[FilingProblem, tuple[Reason, str]]] = {
    "BrokerUnavailable": (Reason.REMOTE_UNAVAILABLE, "the broker does not answer as it should"),
    "StoreUnavailable": (Reason.REMOTE_UNAVAILABLE, "the storage does not answer as it should"),
    "PicturesUnavailable": (
        Reason.REMOTE_UNAVAILABLE,
        "the store of the pictures does not answer as it should",
    ),
    "StorageFull": (Reason.STORAGE_FULL, "the storage is full: make room, and it goes on"),
}
"""What was lost is no reason to wait: a condition of its own says it."""


def trouble(situation: Situation) -> Plan | None:
    """Passes on what it says; the router tries again by itself."""
    report = situation.heard
    known = REASONS.get(report.problem) if report and report.problem else None
    if report is None or known is None:
        return None
    reason, words = known
    return situation.decide(
        under_way(reason, f"{words}: {report.message}" if report.message else words),
        requeue_after=situation.seconds_until(situation.stale_at),
    )
