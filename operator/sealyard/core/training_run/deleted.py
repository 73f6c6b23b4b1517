"""A run that is being deleted: nothing to do, Kubernetes collects its Jobs."""

from __future__ import annotations

from sealyard.core.plan import Plan
from sealyard.core.training_run.situation import Situation


def deleted(situation: Situation) -> Plan | None:
    """Starts nothing in an object that is going away."""
    return Plan() if situation.run.metadata.deletion_timestamp else None
