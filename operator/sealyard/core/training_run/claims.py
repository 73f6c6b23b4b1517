"""A claim that the run names does not exist, or somebody else has it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation
from sealyard.core.workspace_claims import waits_for_claim


def claim_missing(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang; goes on as soon as the claim is there."""
    there = {claim.name for claim in situation.claims if not claim.deleting}
    for field, claim in claims_of(situation).items():
        if claim not in there:
            return situation.decide(
                "Pending",
                under_way(
                    Reason.CLAIM_MISSING,
                    f"PersistentVolumeClaim {claim} ({field}) does not exist in "
                    f"namespace {situation.run.metadata.namespace}: create it, and the run goes on",
                ),
                requeue_after=situation.seconds_left,
            )
    return None


def workspace_taken(situation: Situation) -> Plan | None:
    """Another object's Job has what one node alone can mount; goes on when that has ended."""
    state = waits_for_claim(
        "run",
        situation.claims,
        situation.uses,
        workspace=situation.run.spec.workspace.claim_name,
        wanted=claims_of(situation).values(),
    )
    if state is None:
        return None
    return situation.decide("Pending", state, requeue_after=situation.seconds_left)


def claims_of(situation: Situation) -> dict[str, str]:
    """The claims that a Job mounts, by where they are named."""
    spec, weights = situation.run.spec, situation.weights
    wanted = {}
    if spec.dataset.claim_name is not None:
        wanted["spec.dataset.persistentVolumeClaim.claimName"] = spec.dataset.claim_name
    snapshot = situation.snapshot
    if snapshot is not None and snapshot.storage.claim_name is not None:
        where = f"the storage of AnnotationRoute {snapshot.route}, spec.dataset"
        wanted[where] = snapshot.storage.claim_name
    if spec.workspace.claim_name is not None:
        wanted["spec.workspace.persistentVolumeClaim.claimName"] = spec.workspace.claim_name
    if weights is None or weights.claim_name is None:
        return wanted
    if weights.training_run is None:
        where = "spec.model.weights.persistentVolumeClaim.claimName"
    else:
        where = f"the workspace of TrainingRun {weights.training_run}, spec.model.weights"
    return wanted | {where: weights.claim_name}
