"""Variants are still to be exported from the trained model."""

from __future__ import annotations

from functools import partial
from typing import Any

from sealyard.api.conditions import Reason
from sealyard.api.model_release import PinnedWorkspace, VariantSpec
from sealyard.api.training_run import Artifact, TrainingRun
from sealyard.core.checkpoint import checkpoint_of
from sealyard.core.compute import Compute
from sealyard.core.jobs import export_job
from sealyard.core.model_release.claims import taken
from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.stage import Piece, carry_on
from sealyard.core.model_release.variants import image_size
from sealyard.core.plan import Plan


def exporting(situation: Situation) -> Plan | None:
    """One Job per variant: side by side if the workspace can be mounted by many, else in turn."""
    works = situation.works
    if works.exported:
        return None
    run = situation.run
    checkpoint = checkpoint_of(run) if run else None
    can_start = checkpoint is not None and isinstance(situation.compute, Compute)
    pieces = [
        Piece(works.exports[variant.name], partial(_build, situation, run, checkpoint, variant))
        for variant in situation.release.spec.variants
    ]
    lineage, workspace = situation.lineage, situation.workspace
    return carry_on(
        situation,
        pieces,
        reason=Reason.EXPORTING,
        doing=f"exporting {', '.join(v.name for v in situation.release.spec.variants)}",
        status={
            "lineage": lineage.to_wire() if lineage else None,
            "workspace": PinnedWorkspace.of(workspace).to_patch() if workspace else None,
        },
        at_once=_how_many(situation, len(pieces)) if can_start else 0,
        held=taken(situation, workspace, dataset=True),
    )


def _how_many(situation: Situation, variants: int) -> int:
    """A claim that one node alone may mount would keep the second pod from starting elsewhere."""
    claim, workspace = situation.workspace_claim, situation.workspace
    in_store = workspace is not None and workspace.s3 is not None
    many = in_store or (claim is not None and "ReadWriteMany" in claim.access_modes)
    return variants if many and _is_shared(situation) else 1


def _is_shared(situation: Situation) -> bool:
    """Whether pods on several nodes reach the dataset: a store does not ask who else is there."""
    run = situation.run
    if run is None or run.dataset_place.claim_name is None:
        return run is not None
    claim = situation.claim_named(run.dataset_place.claim_name)
    return claim is not None and not {"ReadWriteMany", "ReadOnlyMany"}.isdisjoint(
        claim.access_modes
    )


def _build(
    situation: Situation,
    run: TrainingRun | None,
    checkpoint: Artifact | None,
    variant: VariantSpec,
    attempt: int,
) -> dict[str, Any]:
    size = image_size(variant, run)
    compute = situation.compute
    if run is None or checkpoint is None or size is None:
        raise AssertionError("source_not_ready lets nothing start without a trained model")
    if not isinstance(compute, Compute):
        raise AssertionError("profile_not_ready lets nothing start without a profile")  # noqa: TRY004
    return export_job(
        situation.release,
        run,
        situation.settings,
        compute,
        variant=variant,
        checkpoint=checkpoint,
        image_size=size,
        attempt=attempt,
    )
