"""The ComputeProfile is missing, not the only default, or does not allow what the run asks for."""

from __future__ import annotations

from sealyard.core.conditions import State
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def profile_not_ready(situation: Situation) -> Plan | None:
    """Starts nothing; goes on when the profile or the run has changed."""
    if not isinstance(situation.compute, State):
        return None
    return situation.decide("Pending", situation.compute, requeue_after=situation.seconds_left)
