"""The ComputeProfile is missing, or not the only default."""

from __future__ import annotations

from sealyard.core.conditions import State
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def profile_not_ready(situation: Situation) -> Plan | None:
    """Exports nothing until there is one; what is exported needs no profile any more."""
    works = situation.works
    if works.exported or works.live_jobs or not isinstance(situation.compute, State):
        return None
    return situation.decide(situation.phase, situation.compute)
