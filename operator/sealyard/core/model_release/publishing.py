"""Everything is exported: seal it and bring it to the two stores."""

from __future__ import annotations

from typing import Any

from sealyard.api.conditions import Reason
from sealyard.api.model_release import PinnedWorkspace
from sealyard.core.jobs import pin, publish_job
from sealyard.core.model_release.claims import taken
from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.stage import Piece, carry_on
from sealyard.core.plan import Plan


def publishing(situation: Situation) -> Plan | None:
    """Each attempt goes where the target points by then; the one that succeeds pins it."""
    work = situation.works.publish
    target, lineage, workspace = situation.target, situation.lineage, situation.workspace
    if work.ledger.done or lineage is None or workspace is None:
        return None

    def build(attempt: int) -> dict[str, Any]:
        if target is None:
            raise AssertionError("target_not_ready lets nothing start without a target")
        return publish_job(
            situation.release,
            target,
            situation.settings,
            workspace=workspace,
            variants=situation.exports,
            lineage=lineage,
            attempt=attempt,
        )

    status: dict[str, Any] = {
        "lineage": lineage.to_wire(),
        "workspace": PinnedWorkspace.of(workspace).to_patch(),
        "exportSha256": situation.export_sha256,
    }
    if target and (work.job is None or situation.release.status.target is None):
        status["target"] = pin(target).to_wire()
    return carry_on(
        situation,
        [Piece(work, build)],
        reason=Reason.PUBLISHING,
        doing=f"sealing and uploading to target {situation.release.spec.target_ref.name}",
        status=status,
        held=taken(situation, workspace, dataset=False),
    )
