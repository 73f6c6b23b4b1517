"""What the policies of a ReleaseChannel look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealyard.api.release_channel import NamedRelease, ReleaseChannel
from sealyard.core.conditions import State
from sealyard.core.observed import ReleaseChannelObserved
from sealyard.core.outcome import outcome
from sealyard.core.plan import Plan
from sealyard.core.roster import Naming, TargetEntry
from sealyard.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Situation:
    """One look at a channel, ready to be judged."""

    channel: ReleaseChannel
    now: datetime
    target: TargetEntry | None
    owner: str | None
    naming: Naming
    listed: NamedRelease | None
    withdrawn: frozenset[str]
    devices: int

    @classmethod
    def of(cls, observed: ReleaseChannelObserved, settings: Settings, now: datetime) -> Situation:
        """The look, as it was observed."""
        del settings  # a channel has no Jobs
        return cls(
            observed.channel,
            now,
            observed.target,
            observed.owner,
            observed.naming,
            _unless(observed.listed, observed.withdrawn),
            observed.withdrawn,
            observed.devices,
        )

    def decide(self, state: State, *, owns: bool = True) -> Plan:
        """The Plan of a policy, with what every status of a channel holds.

        Args:
            state: the wanted conditions.
            owns: the name belongs to this channel.
        """
        status: dict[str, Any] = {"wanted": None, "listed": None, "previous": None, "devices": None}
        if owns:
            status |= self._listing()
        return outcome(
            self.channel, self.channel.status.conditions, state, now=self.now, status=status
        )

    def _listing(self) -> dict[str, Any]:
        """What is wanted, and what is listed; what was listed before stays known for one move.

        What nobody should get any more is forgotten: once its object is gone, nothing else tells it
        from a release that is retained.
        """
        before, wanted = self.channel.status, self.naming.now
        former = before.listed if before.listed != self.listed else None
        previous = _unless(former or before.previous, self.withdrawn | self.naming.over)
        return {
            "wanted": wanted.version if wanted else None,
            "listed": self.listed.to_wire() if self.listed else None,
            "previous": previous.to_wire() if previous else None,
            "devices": self.devices,
        }


def _unless(release: NamedRelease | None, versions: frozenset[str]) -> NamedRelease | None:
    return None if release is None or release.version in versions else release
