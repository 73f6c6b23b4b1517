"""The keys are no good: somebody mixed up two devices, or made them by hand."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.device.situation import Situation
from sealyard.core.device_keys import fault_of_keys
from sealyard.core.plan import Plan


def invalid_key(situation: Situation) -> Plan | None:
    """Nobody is told of such a device."""
    fault = fault_of_keys(situation.device.spec)
    return situation.decide("Pending", stalled(Reason.INVALID_KEY, fault)) if fault else None
