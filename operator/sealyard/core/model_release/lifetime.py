"""What holds for a release whatever is done for it: its deletion waits, its end is not missed."""

from __future__ import annotations

from dataclasses import replace

from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.times import end_time

OVER = frozenset({"Expired", "Revoked", "Failed", "GateFailed"})


def must_leave_first(situation: Situation) -> bool:
    """Whether the object may go only once a signed index without the release is published.

    With `Withdraw` always. With `Retain` where it is revoked, until that is so: without its object
    nothing would say any more that a channel may not name it.
    """
    release = situation.release
    is_leaving = release.spec.revoked and release.status.phase not in OVER
    return release.spec.deletion_policy == "Withdraw" or (is_leaving and is_listable(situation))


def is_listable(situation: Situation) -> bool:
    """Whether an index may list it: what is not published, or has no index, stands in none."""
    target = situation.target
    has_index = target is None or target.spec.trust is not None
    return situation.works.manifest_sha256 is not None and has_index


def hold(situation: Situation, plan: Plan) -> Plan:
    """The plan with the finalizer, where one is wanted, while nobody deletes it."""
    metadata = situation.release.metadata
    if metadata.deletion_timestamp:
        return plan
    wanted = must_leave_first(situation)
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
