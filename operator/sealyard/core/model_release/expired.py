"""spec.notAfter has passed: devices refuse the release, and the index lists it no more."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def expired(situation: Situation) -> Plan | None:
    """Final, whatever spec.notAfter says later. What still runs for the release is stopped."""
    spec, status = situation.release.spec, situation.release.status
    if status.phase in {"Expired", "Revoked", "Failed", "GateFailed"} or not situation.has_expired:
        return None
    return situation.decide(
        "Expired",
        stalled(
            Reason.EXPIRED,
            f"spec.notAfter ({spec.not_after}) has passed: release {spec.model} under a new "
            "version",
        ),
        delete=situation.stop(),
    )
