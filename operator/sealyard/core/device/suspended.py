"""spec.suspend: the device is to be let in no more."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready, under_way
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def suspended(situation: Situation) -> Plan | None:
    """It is, once the release API was told."""
    if not situation.device.spec.suspend:
        return None
    if situation.is_told:
        return situation.decide(
            "Suspended",
            ready(
                Reason.SUSPENDED,
                "the device is let in no more, and what was granted to it is deleted; what it "
                "holds already opens until the index that it knows expires",
            ),
        )
    name = situation.device.spec.target_ref.name
    return situation.decide(
        situation.phase,
        under_way(
            Reason.SUSPENDING,
            f"waiting for the next grant Job of ReleaseTarget {name}, which ends its login",
        ),
    )
