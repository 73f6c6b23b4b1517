"""The index says what spec.version means."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def current(situation: Situation) -> Plan | None:
    """Devices of the channel get this version."""
    listed = situation.listed
    if listed is None:
        return None
    return situation.decide(
        ready(Reason.CURRENT, f"the signed index names {listed.version}: devices get it")
    )
