"""The device is authorised, or about to be."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready, under_way
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def authorised(situation: Situation) -> Plan | None:
    """It is, once the release API was told of it as its spec is now."""
    spec = situation.device.spec
    grants = situation.grants
    if grants and situation.is_told:
        count = f"{grants.releases} release{'' if grants.releases == 1 else 's'}"
        return situation.decide(
            "Authorised",
            ready(Reason.AUTHORISED, f"the device is let in, and may open {count} of its models"),
        )
    return situation.decide(
        "Pending" if situation.phase == "Expired" else situation.phase,
        under_way(
            Reason.GRANTING,
            f"waiting for the next grant Job of ReleaseTarget {spec.target_ref.name}",
        ),
    )
