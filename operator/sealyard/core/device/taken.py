"""Two Devices of the same id and target: the oldest speaks for it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def taken(situation: Situation) -> Plan | None:
    """What the younger one says counts for nothing."""
    if situation.owner is None:
        return None
    spec = situation.device.spec
    return situation.decide(
        "Pending",
        stalled(
            Reason.DEVICE_TAKEN,
            f"device {spec.device_id} for target {spec.target_ref.name} belongs to the older "
            f"Device {situation.owner}: delete one of them",
        ),
    )
