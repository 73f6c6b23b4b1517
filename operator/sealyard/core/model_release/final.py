"""A release that is Released or Failed: only its plaintext exports are still to be deleted."""

from __future__ import annotations

from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.tidying import tidy_up
from sealyard.core.outcome import seen
from sealyard.core.plan import Plan


def final(situation: Situation) -> Plan | None:
    """Only a request newer than the failure opens a Failed release again; Released is for ever."""
    status = situation.release.status
    if status.phase not in {"Released", "Failed"} or situation.reopening.granted:
        return None
    tidying = tidy_up(situation)
    due = [
        seconds
        for seconds in (situation.reopening.due_in, tidying.requeue_after)
        if seconds is not None
    ]
    return Plan(
        create=tidying.create,
        status=seen(situation.release, status.conditions) | tidying.status,
        events=tidying.events,
        requeue_after=min(due, default=None),
    )
