"""The claim that annotations are filed in does not exist."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan


def claim_missing(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang; goes on as soon as the claim is there."""
    claim = situation.route.spec.storage.persistent_volume_claim
    there = {one.name for one in situation.claims if not one.deleting}
    if claim is None or claim.claim_name in there:
        return None
    return situation.decide(
        under_way(
            Reason.CLAIM_MISSING,
            f"PersistentVolumeClaim {claim.claim_name} "
            "(spec.storage.persistentVolumeClaim.claimName) does not exist in namespace "
            f"{situation.route.metadata.namespace}: create it, and the route goes on",
        )
    )
