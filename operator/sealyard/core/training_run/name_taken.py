"""Somebody else's Job has the name that the next attempt needs."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def name_taken(situation: Situation) -> Plan | None:
    """Waits for a person; goes on when that Job is gone."""
    name = situation.next_job
    if name not in situation.foreign_jobs:
        return None
    return situation.decide(
        "Pending",
        stalled(
            Reason.NAME_TAKEN,
            f"Job {name} belongs to somebody else: delete it, and the run goes on",
        ),
    )
