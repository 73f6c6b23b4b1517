"""What follows each target, and when its roster is made anew.

Ten thousand devices may change one after the other. So changes are collected: a roster is what was
known when its target last looked, and the target looks two seconds after the first change. A look
at a device goes by the same roster, and never makes one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sealyard.controller.resources import CHANNELS, Key
from sealyard.core.roster import ChannelEntry, Entry, Roster

COLLECT_SECONDS = 2.0


@dataclass(slots=True)
class _Following:
    entries: dict[Key, Entry] = field(default_factory=dict)
    roster: Roster | None = None
    changed_at: float | None = None
    """When the first change came that the roster does not have."""


class Followers:
    """The entries of all targets.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._targets: dict[Key, _Following] = {}

    def __len__(self) -> int:
        """How many targets are followed."""
        return len(self._targets)

    def put(self, target: Key, follower: Key, entry: Entry | None) -> bool:
        """Take in what follows a target, or that it does no more (None). True if that is new."""
        following = self._targets.get(target) or _Following()
        if following.entries.get(follower) == entry:
            return False
        if entry is None:
            del following.entries[follower]
        else:
            following.entries[follower] = entry
        if not following.entries:
            del self._targets[target]
            return True
        self._targets[target] = following
        if following.changed_at is None:
            following.changed_at = self._clock()
        return True

    def roster(self, target: Key) -> Roster:
        """What was known when the target last looked."""
        following = self._targets.get(target)
        if following is None:
            return Roster()
        if following.roster is None:
            following.roster = Roster(following.entries.values())
            following.changed_at = None
        return following.roster

    def settles_in(self, target: Key) -> float | None:
        """Seconds until the roster is to be made anew; None if it is as it should be."""
        following = self._targets.get(target)
        if following is None or following.changed_at is None or following.roster is None:
            return None
        return max(following.changed_at + COLLECT_SECONDS - self._clock(), 0.0)

    def renew(self, target: Key, given: Sequence[str]) -> None:
        """Make the roster anew; `given` as in `Roster.successor`."""
        following = self._targets[target]
        following.roster = self.roster(target).successor(following.entries.values(), given)
        following.changed_at = None

    def channels(self, target: Key) -> dict[Key, ChannelEntry]:
        """The channels of a target, as they are known now."""
        following = self._targets.get(target)
        entries = following.entries if following else {}
        return {
            key: entry
            for key, entry in entries.items()
            if key.kind == CHANNELS.kind and isinstance(entry, ChannelEntry)
        }
