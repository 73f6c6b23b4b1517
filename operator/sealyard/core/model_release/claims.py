"""The workspace that the exports lie in does not exist."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def claim_missing(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang; what is published needs no workspace any more."""
    works = situation.works
    if works.publish.ledger.done or works.live_jobs or situation.workspace_claim:
        return None
    name = situation.workspace.claim_name if situation.workspace else "of the run's workspace"
    return situation.decide(
        situation.phase,
        under_way(
            Reason.CLAIM_MISSING,
            f"PersistentVolumeClaim {name} (the workspace of TrainingRun "
            f"{situation.release.spec.source.training_run_ref.name}) does not exist in namespace "
            f"{situation.release.metadata.namespace}: create it, and the release goes on",
        ),
    )
