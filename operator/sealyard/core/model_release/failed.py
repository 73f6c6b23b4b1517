"""A piece of work is given up, and the release with it."""

from __future__ import annotations

from typing import Any

from sealyard.api.conditions import Reason
from sealyard.core import attempts
from sealyard.core.attempts import Failure, Work
from sealyard.core.conditions import State, stalled
from sealyard.core.jobs import memory_limit
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan
from sealyard.core.reopening import HOW_TO_REOPEN


def failed(situation: Situation) -> Plan | None:
    """Says which piece of work, and why."""
    works = situation.works
    deciding: list[Work[Any]] = [*works.exports.values(), works.publish, works.verify]
    for work in deciding:
        reason = attempts.failure(work, backoff_limit=situation.settings.release_backoff_limit)
        if reason:
            message = f"{work.ledger.name}: {reason.message}{_advice(situation, work, reason)}"
            return give_up(situation, Failure(reason.reason, message))
    return None


def _advice(situation: Situation, work: Work[Any], failure: Failure) -> str:
    """Where an export is given more memory; a courier needs no more than it has."""
    variants = {work.ledger.name: name for name, work in situation.works.exports.items()}
    variant = variants.get(work.ledger.name)
    compute = situation.compute
    if failure.reason is not Reason.OUT_OF_MEMORY or variant is None or isinstance(compute, State):
        return ""
    needs_gpu = any(v.needs_gpu for v in situation.release.spec.variants if v.name == variant)
    limit = memory_limit(compute, needs_gpu=needs_gpu)
    if compute.profile is None:
        return (
            f"; it had {limit}: name a ComputeProfile with a larger spec.memory.default in "
            "spec.profileRef"
        )
    return f"; it had {limit}: raise spec.memory.default of ComputeProfile {compute.profile}"


def give_up(situation: Situation, failure: Failure) -> Plan:
    """The Plan of a release that Failed: what still runs for it is stopped."""
    return situation.decide(
        "Failed",
        stalled(failure.reason, f"{failure.message}; {HOW_TO_REOPEN}"),
        delete=situation.stop(),
    )
