"""The last attempt ended, and the next one is not due yet."""

from __future__ import annotations

from sealyard.core import attempts
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def waiting(situation: Situation) -> Plan | None:
    """Says what the run waits for and when it goes on; the first of a series posts an event."""
    seconds = attempts.seconds_to_wait(situation.work, now=situation.now, watched=situation.watched)
    if seconds <= 0:
        return None
    reason, message = attempts.reason_to_wait(situation.work)
    return situation.decide(
        "Pending",
        under_way(reason, f"{message}; again at {situation.work.ledger.not_before}"),
        requeue_after=min(seconds, situation.seconds_left or seconds),
        quiet=situation.work.ledger.waits > 1,
    )
