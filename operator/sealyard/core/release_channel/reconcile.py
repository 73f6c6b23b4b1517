"""The policies of a ReleaseChannel, in order: the first that applies says how it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.observed import ReleaseChannelObserved
from sealyard.core.plan import Plan
from sealyard.core.release_channel.current import current
from sealyard.core.release_channel.invalid import invalid
from sealyard.core.release_channel.moving import moving
from sealyard.core.release_channel.no_match import no_match
from sealyard.core.release_channel.situation import Situation
from sealyard.core.release_channel.taken import taken
from sealyard.core.release_channel.target import target_not_ready
from sealyard.core.settings import Settings


def deleted(situation: Situation) -> Plan | None:
    """What is listed stays listed."""
    return Plan() if situation.channel.metadata.deletion_timestamp else None


POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    invalid,
    taken,
    target_not_ready,
    no_match,
    moving,
    current,
)


def reconcile(observed: ReleaseChannelObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at a ReleaseChannel."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return plan
    return Plan()
