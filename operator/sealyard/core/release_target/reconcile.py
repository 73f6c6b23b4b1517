"""The policies of a ReleaseTarget, in order: the first that applies says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.observed import ReleaseTargetObserved
from sealyard.core.plan import Plan
from sealyard.core.release_target.granting import granting
from sealyard.core.release_target.indexing import indexing
from sealyard.core.release_target.probing import probing
from sealyard.core.release_target.problems import invalid
from sealyard.core.release_target.proven import proven
from sealyard.core.release_target.rewrapping import rewrapping
from sealyard.core.release_target.situation import Situation
from sealyard.core.settings import Settings


def deleted(situation: Situation) -> Plan | None:
    """Starts nothing in an object that is going away."""
    return Plan() if situation.target.metadata.deletion_timestamp else None


POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    invalid,
    rewrapping,
    granting,
    indexing,
    probing,
    proven,
)


def reconcile(observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at a ReleaseTarget."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return plan
    return Plan()
