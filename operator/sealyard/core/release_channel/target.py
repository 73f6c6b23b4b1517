"""The ReleaseTarget is missing, or has no index that could list a channel."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.release_channel.situation import Situation


def target_not_ready(situation: Situation) -> Plan | None:
    """Waits for the target, and for its spec.trust."""
    name = situation.channel.spec.target_ref.name
    namespace = situation.channel.metadata.namespace
    if situation.target is None:
        message = f"ReleaseTarget {name} (spec.targetRef.name) does not exist in namespace "
        return situation.decide(
            under_way(
                Reason.TARGET_MISSING, f"{message}{namespace}: create it, and the channel goes on"
            )
        )
    if not situation.target.has_trust:
        return situation.decide(
            under_way(
                Reason.TRUST_MISSING,
                f"ReleaseTarget {name} has no spec.trust, and so no index that lists channels: "
                "give it one, and the channel goes on",
            )
        )
    return None
