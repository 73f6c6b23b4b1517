"""The id is not that of the keys: somebody mixed up two devices, or changed one of the three."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.digests import device_id
from sealyard.core.conditions import stalled
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def invalid_key(situation: Situation) -> Plan | None:
    """Nobody is told of such a device."""
    if situation.entry is not None:
        return None
    spec = situation.device.spec
    return situation.decide(
        "Pending",
        stalled(
            Reason.INVALID_KEY,
            f"spec.deviceId is {spec.device_id}, and that of the two keys would be "
            f"{device_id(spec.encryption_key, spec.signing_key)}: delete this Device and apply "
            "what `sealyard device init` printed",
        ),
    )
