"""The training is given up: an error that no retry mends, too many attempts, or no time left."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core import attempts
from sealyard.core.attempts import Failure
from sealyard.core.conditions import State, stalled
from sealyard.core.plan import Plan
from sealyard.core.reopening import HOW_TO_REOPEN
from sealyard.core.times import format_time
from sealyard.core.training_run.situation import Situation


def failed(situation: Situation) -> Plan | None:
    """Says why, and how to open the run again."""
    reason = attempts.failure(
        situation.work, backoff_limit=situation.run.spec.backoff_limit
    ) or _out_of_time(situation)
    return give_up(situation, reason) if reason else None


def give_up(situation: Situation, failure: Failure) -> Plan:
    """The Plan of a run that Failed."""
    message = f"{failure.message}{_advice(situation, failure.reason)}; {HOW_TO_REOPEN}"
    return situation.decide(
        "Failed",
        stalled(failure.reason, message),
        status={
            "completionTime": format_time(situation.now),
            # An estimate of the end would be a lie now; how far it came stays.
            "summary": {"eta": None},
        },
    )


def _out_of_time(situation: Situation) -> Failure | None:
    """The deadline passed between two attempts; Kubernetes ends one that is running."""
    deadline = situation.deadline
    if situation.work.job or deadline is None or situation.now < deadline:
        return None
    seconds = situation.run.spec.active_deadline_seconds
    last = situation.work.ledger.last_end
    ended = f"; the last attempt ended: {last.message}" if last else ""
    return Failure(
        Reason.DEADLINE_EXCEEDED, f"not done within spec.activeDeadlineSeconds ({seconds}){ended}"
    )


def _advice(situation: Situation, reason: Reason) -> str:
    if reason is Reason.OUT_OF_MEMORY:
        compute = situation.compute
        if isinstance(compute, State):
            return "; train with more memory, or with a smaller batch"
        return f"; raise {compute.memory_field} ({compute.memory}), or train with a smaller batch"
    return ""
