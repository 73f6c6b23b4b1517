"""A claim that the run names does not exist."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def claim_missing(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang; goes on as soon as the claim is there."""
    spec = situation.run.spec
    wanted = {
        "spec.dataset.persistentVolumeClaim.claimName": spec.dataset.persistent_volume_claim,
        "spec.workspace.persistentVolumeClaim.claimName": spec.workspace.persistent_volume_claim,
    }
    there = {claim.name for claim in situation.claims if not claim.deleting}
    for field, claim in wanted.items():
        if claim.claim_name not in there:
            return situation.decide(
                "Pending",
                under_way(
                    Reason.CLAIM_MISSING,
                    f"PersistentVolumeClaim {claim.claim_name} ({field}) does not exist in "
                    f"namespace {situation.run.metadata.namespace}: create it, and the run goes on",
                ),
                requeue_after=situation.seconds_left,
            )
    return None
