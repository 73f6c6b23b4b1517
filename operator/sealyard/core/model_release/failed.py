"""A piece of work is given up, and the release with it."""

from __future__ import annotations

from typing import Any

from sealyard.core import attempts
from sealyard.core.attempts import Failure, Work
from sealyard.core.conditions import stalled
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.reopening import HOW_TO_REOPEN


def failed(situation: Situation) -> Plan | None:
    """Says which piece of work, and why."""
    works = situation.works
    deciding: list[Work[Any]] = [*works.exports.values(), works.publish, works.verify]
    for work in deciding:
        reason = attempts.failure(work, backoff_limit=situation.settings.release_backoff_limit)
        if reason:
            return give_up(
                situation, Failure(reason.reason, f"{work.ledger.name}: {reason.message}")
            )
    return None


def give_up(situation: Situation, failure: Failure) -> Plan:
    """The Plan of a release that Failed: what still runs for it is stopped."""
    return situation.decide(
        "Failed",
        stalled(failure.reason, f"{failure.message}; {HOW_TO_REOPEN}"),
        delete=situation.stop(),
    )
