"""spec.notAfter has passed."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def expired(situation: Situation) -> Plan | None:
    """The release API judges by its own clock, so nobody need be told."""
    ends_at = situation.ends_at
    if ends_at is None or ends_at > situation.now:
        return None
    return situation.decide(
        "Expired",
        stalled(
            Reason.EXPIRED,
            f"spec.notAfter ({situation.device.spec.not_after}) has passed: give it a later time "
            "to authorise the device again",
        ),
    )
