"""A ReleaseTarget has no Job of its own yet: it is configured, or it says what is wrong."""

from __future__ import annotations

from datetime import datetime

from sealyard.api.conditions import Reason
from sealyard.core.conditions import ready, stalled
from sealyard.core.observed import ReleaseTargetObserved
from sealyard.core.outcome import outcome
from sealyard.core.plan import Plan
from sealyard.core.release_target.problems import problems_of
from sealyard.core.settings import Settings


def reconcile(observed: ReleaseTargetObserved, settings: Settings, now: datetime) -> Plan:  # noqa: ARG001 - every kind is reconciled by the same call
    """Everything that follows from one look at a ReleaseTarget."""
    target = observed.target
    if target.metadata.deletion_timestamp:
        return Plan()
    problems = problems_of(target)
    state = (
        stalled(Reason.INVALID_SPEC, "; ".join(problems))
        if problems
        else ready(
            Reason.CONFIGURED,
            "addresses and Secrets are named; the first release proves that the logins work",
        )
    )
    return outcome(target, target.status.conditions, state, now=now, status={})
