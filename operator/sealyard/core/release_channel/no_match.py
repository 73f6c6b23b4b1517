"""No release fits spec.version."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def no_match(situation: Situation) -> Plan | None:
    """The index lists nothing for the channel; devices keep what they have."""
    if situation.naming.now:
        return None
    spec = situation.channel.spec
    return situation.decide(
        under_way(
            Reason.NO_MATCH,
            f"no release of {spec.model} that is verified and neither revoked nor expired fits "
            f"{spec.version}: release one, or change spec.version",
        )
    )
