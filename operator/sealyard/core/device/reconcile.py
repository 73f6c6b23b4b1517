"""The policies of a Device, in order: the first that applies says how it stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.device.authorised import authorised
from sealyard.core.device.crowded_out import crowded_out
from sealyard.core.device.deleted import deleted, hold
from sealyard.core.device.expired import expired
from sealyard.core.device.invalid import invalid_key
from sealyard.core.device.situation import Situation
from sealyard.core.device.suspended import suspended
from sealyard.core.device.taken import taken
from sealyard.core.device.target import target_missing
from sealyard.core.observed import DeviceObserved
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings

POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    invalid_key,
    taken,
    target_missing,
    suspended,
    expired,
    crowded_out,
    authorised,
)


def reconcile(observed: DeviceObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at a Device."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return hold(situation, plan)
    return Plan()
