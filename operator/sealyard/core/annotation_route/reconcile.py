"""The policies of an AnnotationRoute, in order: the first that applies says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.annotation_route.claims import claim_missing
from sealyard.core.annotation_route.ended import ended
from sealyard.core.annotation_route.filing import filing
from sealyard.core.annotation_route.invalid import invalid
from sealyard.core.annotation_route.name_taken import name_taken
from sealyard.core.annotation_route.rollout import rollout
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.annotation_route.starting import starting
from sealyard.core.annotation_route.suspended import suspended
from sealyard.core.annotation_route.taken import taken
from sealyard.core.annotation_route.trouble import trouble
from sealyard.core.annotation_route.unheard import unheard
from sealyard.core.observed import AnnotationRouteObserved
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings


def deleted(situation: Situation) -> Plan | None:
    """The Deployment goes with its owner; what was filed stays."""
    return Plan() if situation.route.metadata.deletion_timestamp else None


POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    invalid,
    taken,
    suspended,
    claim_missing,
    name_taken,
    rollout,
    starting,
    ended,
    unheard,
    trouble,
    filing,
)


def reconcile(observed: AnnotationRouteObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at an AnnotationRoute."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return plan
    return Plan()
