"""The ReleaseTarget is missing."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.device.situation import Situation
from sealyard.core.plan import Plan


def target_missing(situation: Situation) -> Plan | None:
    """Waits for the target."""
    if situation.target is not None:
        return None
    metadata, name = situation.device.metadata, situation.device.spec.target_ref.name
    return situation.decide(
        situation.phase,
        under_way(
            Reason.TARGET_MISSING,
            f"ReleaseTarget {name} (spec.targetRef.name) does not exist in namespace "
            f"{metadata.namespace}: create it, and the device goes on",
        ),
    )
