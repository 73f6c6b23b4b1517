"""spec.revoked: the release leaves the signed index, whatever had become of it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready, under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def revoked(situation: Situation) -> Plan | None:
    """Revoked is final. What still runs for the release is stopped."""
    spec, status = situation.release.spec, situation.release.status
    if not spec.revoked or status.phase in {"Revoked", "Expired"}:
        return None
    what = f"{spec.model} {spec.version}"
    target = situation.target
    is_listed = situation.works.manifest_sha256 is not None and (
        target is not None and target.spec.trust is not None
    )
    if is_listed and not situation.is_withdrawn:
        return situation.decide(
            status.phase or situation.phase,
            under_way(
                Reason.REVOKING,
                f"waiting for a signed index of ReleaseTarget {spec.target_ref.name} without "
                f"{what}",
            ),
            delete=situation.stop(),
        )
    why = f": {spec.revocation_reason}" if spec.revocation_reason else ""
    return situation.decide(
        "Revoked",
        ready(
            Reason.REVOKED, f"{what} is revoked{why}; no channel names it, and no index lists it"
        ),
        delete=situation.stop(),
    )
