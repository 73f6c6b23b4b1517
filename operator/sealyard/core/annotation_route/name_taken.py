"""Somebody else's Deployment has the name that the router's needs."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan


def name_taken(situation: Situation) -> Plan | None:
    """Waits for a person; goes on when that Deployment is gone."""
    if situation.name not in situation.foreign:
        return None
    return situation.decide(
        stalled(
            Reason.NAME_TAKEN,
            f"Deployment {situation.name} belongs to somebody else: delete it, and the route "
            "goes on",
        )
    )
