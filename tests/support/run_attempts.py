"""A TrainingRun after some attempts, and one look at it."""

from __future__ import annotations

from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.secrets import Role
from sealyard.core.observed import TrainingRunObserved
from sealyard.core.plan import Plan
from sealyard.core.training_run import reconcile
from support.builders import (
    NOW,
    SETTINGS,
    RunBuilder,
    a_training_run,
    at,
    time_of,
)

FIRST_JOB = job_name("coins", "run-uid", Role.TRAIN, "", 1)
SECOND_JOB = job_name("coins", "run-uid", Role.TRAIN, "", 2)
HOW = "; to try again, set the annotation sealyard.io/requestedAt to the current time (RFC 3339)"


def plan_of(observed: TrainingRunObserved) -> Plan:
    """What is decided now."""
    return reconcile(observed, SETTINGS, NOW)


def started(attempts: int = 1, **fields: Any) -> RunBuilder:
    """A run whose newest Job is written down."""
    task = {"name": "train", "started": attempts, "watched": "1"} | fields
    return a_training_run().with_status(
        phase="Pending",
        attempts=attempts,
        tasks=[task],
        image="sealyard/trainer:1",
        startTime=time_of(at(-3600)),
    )


def ended(attempt: int, code: int, reason: str) -> dict[str, Any]:
    """The end of an attempt, as the status keeps it."""
    return {
        "attempt": attempt,
        "exitCode": code,
        "reason": reason,
        "message": "it ended",
        "time": time_of(at(-60)),
    }
