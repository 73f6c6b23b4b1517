"""A release that is being deleted: what was published stays (Retain), Jobs are collected."""

from __future__ import annotations

from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan


def deleted(situation: Situation) -> Plan | None:
    """Starts nothing in an object that is going away."""
    return Plan() if situation.release.metadata.deletion_timestamp else None
