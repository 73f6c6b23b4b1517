"""The workspace that exports lie in, or the dataset that judges them, is not to be had."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.api.training_run import WorkspaceSpec
from sealyard.core.conditions import State, under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.workspace_claims import waits_for_claim


def claim_missing(situation: Situation) -> Plan | None:
    """Starts nothing that could only hang; what is published needs no workspace any more."""
    works = situation.works
    if works.publish.ledger.done or works.live_jobs:
        return None
    if not situation.workspace_is_there:
        workspace = situation.workspace
        name = workspace.claim_name if workspace else None
        return _missing(situation, name or "of the run's workspace", "workspace")
    if works.exported or situation.run is None:
        return None
    dataset = situation.run.dataset_place.claim_name
    if dataset is not None and situation.claim_named(dataset) is None:
        return _missing(situation, dataset, "dataset")
    return None


def taken(situation: Situation, workspace: WorkspaceSpec | None, *, dataset: bool) -> State | None:
    """What is said while the Job of another object has what one node alone can mount.

    Args:
        situation: the release.
        workspace: where the next Job works.
        dataset: whether it mounts the dataset, too.
    """
    named = situation.run.dataset_place.claim_name if dataset and situation.run else None
    return waits_for_claim(
        "release",
        situation.claims,
        situation.uses,
        workspace=workspace.claim_name if workspace else None,
        wanted=(named,) if named else (),
    )


def _missing(situation: Situation, claim: str, what: str) -> Plan:
    return situation.decide(
        situation.phase,
        under_way(
            Reason.CLAIM_MISSING,
            f"PersistentVolumeClaim {claim} (the {what} of TrainingRun "
            f"{situation.release.spec.source.training_run_ref.name}) does not exist in namespace "
            f"{situation.release.metadata.namespace}: create it, and the release goes on",
        ),
    )
