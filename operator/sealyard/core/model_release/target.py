"""The ReleaseTarget is missing, or no Job could work with it."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled, under_way
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.release_target.problems import problems_of


def target_not_ready(situation: Situation) -> Plan | None:
    """Starts nothing without a target, not even the export: plaintext should not lie and wait."""
    if situation.works.live_jobs:
        return None
    name = situation.release.spec.target_ref.name
    target = situation.target
    if target is None or target.metadata.deletion_timestamp:
        return situation.decide(
            situation.phase,
            under_way(
                Reason.TARGET_MISSING,
                f"ReleaseTarget {name} (spec.targetRef.name) does not exist in namespace "
                f"{situation.release.metadata.namespace}: create it, and the release goes on",
            ),
        )
    if problems := problems_of(target):
        return situation.decide(
            situation.phase,
            stalled(Reason.INVALID_SPEC, f"ReleaseTarget {name}: {'; '.join(problems)}"),
        )
    return None
