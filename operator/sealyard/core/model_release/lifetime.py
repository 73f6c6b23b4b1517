"""What holds for a release whatever is done for it: its deletion waits, its end is not missed."""

from __future__ import annotations

from dataclasses import replace

from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.times import end_time

OVER = frozenset({"Expired", "Revoked", "Failed"})


def hold(situation: Situation, plan: Plan) -> Plan:
    """The plan with the finalizer that spec.deletionPolicy asks for, while nobody deletes it."""
    metadata = situation.release.metadata
    if metadata.deletion_timestamp:
        return plan
    wanted = situation.release.spec.deletion_policy == "Withdraw"
    is_there = WITHDRAW_FINALIZER in metadata.finalizers
    return plan if wanted == is_there else replace(plan, hold=wanted)


def look_again_at_the_end(situation: Situation, plan: Plan) -> Plan:
    """The plan with another look when spec.notAfter passes."""
    release = situation.release
    not_after = end_time(release.spec.not_after)
    if not_after is None or not_after <= situation.now or release.status.phase in OVER:
        return plan
    seconds = (not_after - situation.now).total_seconds()
    soonest = seconds if plan.requeue_after is None else min(seconds, plan.requeue_after)
    return replace(plan, requeue_after=soonest)
