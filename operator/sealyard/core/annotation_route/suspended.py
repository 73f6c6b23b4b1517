"""spec.suspend: the router is stopped, until that is taken back."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan


def suspended(situation: Situation) -> Plan | None:
    """Stops the router; the stream keeps what comes, as long as its retention lets it."""
    if not situation.route.spec.suspend:
        return None
    return situation.decide(
        under_way(
            Reason.SUSPENDED,
            "suspended; set spec.suspend to false before the stream's retention is over, and it "
            "goes on where it was",
        ),
        replicas=situation.fewer,
    )
