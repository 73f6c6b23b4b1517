"""A release that has come to its end: only its plaintext exports are still to be deleted."""

from __future__ import annotations

from typing import Any

from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.tidying import tidy_up
from sealyard.core.outcome import seen
from sealyard.core.plan import Plan

FINAL = frozenset({"Released", "Expired", "Revoked", "Failed", "GateFailed"})


def final(situation: Situation) -> Plan | None:
    """Only a request newer than the failure opens a Failed release again; the others are final."""
    status = situation.release.status
    if status.phase not in FINAL or situation.reopening.granted:
        return None
    tidying = tidy_up(situation)
    due = [
        seconds
        for seconds in (situation.reopening.due_in, tidying.requeue_after)
        if seconds is not None
    ]
    return Plan(
        create=tidying.create,
        status={
            **seen(situation.release, status.conditions),
            **tidying.status,
            **_listing(situation),
        },
        events=tidying.events,
        requeue_after=min(due, default=None),
    )


def _listing(situation: Situation) -> dict[str, Any]:
    """What the index says of it: a target may be given trust after the release is out."""
    is_signed = situation.release.status.phase == "Released" and situation.listing.listed
    changes: dict[str, Any] = {"trust": "signed"} if is_signed else {}
    return changes | ({"summary": situation.channels} if situation.channels else {})
