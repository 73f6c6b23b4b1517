"""The policies of a ModelRelease, in order: the first that applies says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.model_release.claims import claim_missing
from sealyard.core.model_release.deleted import deleted
from sealyard.core.model_release.expired import expired
from sealyard.core.model_release.exporting import exporting
from sealyard.core.model_release.failed import failed
from sealyard.core.model_release.final import final
from sealyard.core.model_release.gates import gate_failed
from sealyard.core.model_release.lifetime import hold, look_again_at_the_end
from sealyard.core.model_release.profile import profile_not_ready
from sealyard.core.model_release.publishing import publishing
from sealyard.core.model_release.released import released
from sealyard.core.model_release.revoked import revoked
from sealyard.core.model_release.situation import Situation
from sealyard.core.model_release.source import source_not_ready
from sealyard.core.model_release.target import target_not_ready
from sealyard.core.model_release.verifying import verifying
from sealyard.core.model_release.version_taken import version_taken
from sealyard.core.observed import ModelReleaseObserved
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings

POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    revoked,
    expired,
    final,
    version_taken,
    failed,
    released,
    source_not_ready,
    target_not_ready,
    profile_not_ready,
    claim_missing,
    exporting,
    gate_failed,
    publishing,
    verifying,
)


def reconcile(observed: ModelReleaseObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at a ModelRelease."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return look_again_at_the_end(situation, hold(situation, plan))
    return Plan()
