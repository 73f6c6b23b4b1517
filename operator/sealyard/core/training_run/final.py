"""A run that Succeeded or Failed stays so, whatever happens to its spec, its Jobs or its files."""

from __future__ import annotations

from sealyard.core.outcome import seen
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def final(situation: Situation) -> Plan | None:
    """Only a request newer than the failure opens a Failed run again; Succeeded is for ever."""
    status = situation.run.status
    if status.phase not in {"Succeeded", "Failed"} or situation.reopening.granted:
        return None
    return Plan(
        status=seen(situation.run, status.conditions),
        requeue_after=situation.reopening.due_in,
    )
