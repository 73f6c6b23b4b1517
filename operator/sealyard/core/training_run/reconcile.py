"""The policies of a TrainingRun, in order: the first that applies says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sealyard.core.observed import TrainingRunObserved
from sealyard.core.plan import Plan
from sealyard.core.settings import Settings
from sealyard.core.training_run.claims import claim_missing, workspace_taken
from sealyard.core.training_run.deleted import deleted
from sealyard.core.training_run.ending import ending
from sealyard.core.training_run.failed import failed
from sealyard.core.training_run.final import final
from sealyard.core.training_run.invalid import invalid_spec
from sealyard.core.training_run.name_taken import name_taken
from sealyard.core.training_run.nodes import nodes_not_ready, nowhere_to_fetch
from sealyard.core.training_run.processes import processes_unfit
from sealyard.core.training_run.profile import profile_not_ready
from sealyard.core.training_run.queued import queued
from sealyard.core.training_run.running import running
from sealyard.core.training_run.situation import Situation
from sealyard.core.training_run.snapshot import pin_snapshot, snapshot_not_ready
from sealyard.core.training_run.start import start
from sealyard.core.training_run.stuck import stuck
from sealyard.core.training_run.succeeded import succeeded
from sealyard.core.training_run.suspended import suspended
from sealyard.core.training_run.waiting import waiting
from sealyard.core.training_run.weights import weights_not_ready

POLICIES: tuple[Callable[[Situation], Plan | None], ...] = (
    deleted,
    final,
    succeeded,
    failed,
    invalid_spec,
    suspended,
    queued,
    stuck,
    running,
    waiting,
    ending,
    profile_not_ready,
    processes_unfit,
    weights_not_ready,
    snapshot_not_ready,
    nowhere_to_fetch,
    claim_missing,
    nodes_not_ready,
    name_taken,
    workspace_taken,
    pin_snapshot,
    start,
)


def reconcile(observed: TrainingRunObserved, settings: Settings, now: datetime) -> Plan:
    """Everything that follows from one look at a TrainingRun."""
    situation = Situation.of(observed, settings, now)
    for policy in POLICIES:
        plan = policy(situation)
        if plan is not None:
            return plan
    return Plan()
