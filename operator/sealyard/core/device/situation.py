"""What the policies of a Device look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealyard.api.device import Device, DeviceGrants, DevicePhase
from sealyard.core.conditions import State
from sealyard.core.observed import DeviceObserved
from sealyard.core.outcome import outcome
from sealyard.core.plan import Plan
from sealyard.core.roster import DeviceEntry, TargetEntry
from sealyard.core.settings import Settings
from sealyard.core.times import end_time


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a device, ready to be judged."""

    device: Device
    now: datetime
    target: TargetEntry | None
    owner: str | None
    entry: DeviceEntry | None
    """None where the keys are no good."""
    grants: DeviceGrants | None
    """What the last grant Job that knew of it did for it."""
    is_settled: bool
    """As observed: what the last grant Job said of it is known, and no later one says otherwise."""
    is_crowded_out: bool = False
    """As that Job had it: the Secret with its hardware's digest is one too many."""
    namespace_ends: bool = False

    @classmethod
    def of(cls, observed: DeviceObserved, settings: Settings, now: datetime) -> Situation:
        """The look, as it was observed."""
        del settings  # a device has no Jobs
        share, grants = observed.share, observed.device.status.grants
        if share:
            grants = DeviceGrants(releases=share.releases, spec_sha256=share.spec_sha256)
        return cls(
            observed.device,
            now,
            observed.target,
            observed.owner,
            observed.entry,
            grants,
            observed.is_settled and share is not None,
            share is not None and share.is_crowded_out,
            observed.namespace_ends,
        )

    @property
    def phase(self) -> DevicePhase:
        """As it was, for as long as the release API was told nothing else."""
        return self.device.status.phase or "Pending"

    @property
    def is_told(self) -> bool:
        """Whether the device, as its spec is now, was told to the release API and granted for."""
        return (
            self.entry is not None
            and self.grants is not None
            and self.grants.spec_sha256 == self.entry.spec_sha256
        )

    @property
    def is_shut_out(self) -> bool:
        """Whether it is told, and no Job can have let the device in again meanwhile."""
        return self.is_told and self.is_settled

    @property
    def ends_at(self) -> datetime | None:
        """When spec.notAfter passes, or has passed."""
        return end_time(self.device.spec.not_after)

    def decide(self, phase: DevicePhase, state: State) -> Plan:
        """The Plan of a policy, with what every status of a device holds."""
        status: dict[str, Any] = {
            "phase": phase,
            "grants": self.grants.to_wire() if self.grants else None,
        }
        left = (self.ends_at - self.now).total_seconds() if self.ends_at else 0.0
        return outcome(
            self.device,
            self.device.status.conditions,
            state,
            now=self.now,
            status=status,
            requeue_after=left if left > 0 else None,
        )
