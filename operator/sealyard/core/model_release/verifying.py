"""Everything is published: prove with the other credentials that it opens."""

from __future__ import annotations

from typing import Any

from sealyard.api.conditions import Reason
from sealyard.core.jobs import pin, verify_job
from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.stage import Piece, carry_on
from sealyard.core.plan import Plan


def verifying(situation: Situation) -> Plan | None:
    """Reads from where the publication went, whatever the target says by now."""
    target, manifest_sha256 = situation.target, situation.works.manifest_sha256
    if manifest_sha256 is None:
        return None

    def build(attempt: int) -> dict[str, Any]:
        if target is None:
            raise AssertionError("target_not_ready lets nothing start without a target")
        return verify_job(
            situation.release,
            target,
            situation.settings,
            pinned=situation.release.status.target or pin(target),
            manifest_sha256=manifest_sha256,
            variants=situation.exports,
            attempt=attempt,
        )

    return carry_on(
        situation,
        [Piece(situation.works.verify, build)],
        reason=Reason.VERIFYING,
        doing=f"opening what was published to target {situation.release.spec.target_ref.name}",
        status={"manifestSha256": manifest_sha256},
    )
