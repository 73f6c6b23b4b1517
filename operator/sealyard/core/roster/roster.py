"""Everything that follows a target, and the input of its Jobs, made once for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import TypeVar

from sealyard.core.roster import grant_document, index_document
from sealyard.core.roster.entries import ChannelEntry, DeviceEntry, Entry, ReleaseEntry
from sealyard.core.roster.grant_document import GrantDocument
from sealyard.core.roster.index_document import IndexDocument
from sealyard.core.roster.naming import Candidates, Naming

Document = IndexDocument | GrantDocument
E = TypeVar("E", ChannelEntry, DeviceEntry)


class View:
    """What follows from a roster at a time. Each document is made when it is first asked for.

    Args:
        roster: the entries.
        now: the time.
    """

    def __init__(self, roster: Roster, now: datetime) -> None:
        self._roster = roster
        self._now = now
        self.candidates = Candidates(roster.releases, now)
        self._channels = {channel: self.candidates.naming(channel) for channel in roster.channels}
        ends = [
            *(release.not_after for release in roster.releases),
            *(device.not_after for device in roster.devices),
        ]
        self.until = min((end for end in ends if end and end > now), default=None)
        """When something expires, and this view with it."""
        self.is_urgent = any(one.is_urgent and one.manifest_sha256 for one in roster.releases)
        """Something must leave the index, and nothing says yet that it has."""
        self.has_devices = bool(roster.devices)

    def naming(self, channel: ChannelEntry) -> Naming:
        """What a channel names, whether it is in the roster yet or not."""
        return self._channels.get(channel) or self.candidates.naming(channel)

    @cached_property
    def full(self) -> IndexDocument:
        """The index's input once everything is granted."""
        return index_document.full(self._roster.releases, self._channels, self._now)

    @cached_property
    def held(self) -> IndexDocument:
        """The index's input for as long as something is not granted yet."""
        return index_document.held(self._roster.releases, self._channels, self._now)

    @cached_property
    def grants(self) -> GrantDocument:
        """The input of the grants."""
        namings = {channel.name: naming for channel, naming in self._channels.items()}
        return grant_document.grants(
            self._roster.releases, namings, self._roster.devices, self._now
        )

    @property
    def made(self) -> tuple[Document, ...]:
        """The documents that were asked for; a Job can have been given no other."""
        return tuple(value for value in vars(self).values() if isinstance(value, Document))


class Roster:
    """The entries of a target. It never changes; what follows from it is made when first asked for.

    Args:
        entries: of releases, channels and devices.
        former: documents of earlier rosters that a Job was given, or may have been.
    """

    def __init__(self, entries: Iterable[Entry] = (), former: Sequence[Document] = ()) -> None:
        releases, channels, devices = [], [], []
        for entry in entries:
            if isinstance(entry, ReleaseEntry):
                releases.append(entry)
            elif isinstance(entry, ChannelEntry):
                channels.append(entry)
            else:
                devices.append(entry)
        self.releases = tuple(releases)
        self.channels = _owners(channels, lambda channel: channel.name)
        self.devices = _owners(devices, lambda device: device.device_id)
        self.followers = Counter(
            (model, channel)
            for device in self.devices
            for model in device.models
            for channel in device.channels
        )
        self._former = tuple(former)
        self._view: View | None = None

    def at(self, now: datetime) -> View:
        """What follows from it at a time. Times may only grow."""
        view = self._view
        if view and (view.until is None or now < view.until):
            return view
        if view:
            self._former = (*view.made, *self._former)
        self._view = View(self, now)
        return self._view

    def index(self, digest: str | None, now: datetime) -> IndexDocument | None:
        """The document with this digest, if it is remembered."""
        if digest is None:
            return None
        view = self.at(now)
        former = (one for one in self._former if isinstance(one, IndexDocument))
        documents = chain(former, (view.full, view.held))
        return next((one for one in documents if one.digest == digest), None)

    def has_noted(self, digest: str | None, now: datetime) -> bool:
        """Whether every channel's status says what this index does, as far as it is remembered."""
        index = self.index(digest, now)
        return index is None or all(
            channel.is_leaving or index.is_noted_by(channel) for channel in self.channels
        )

    def grants(self, digest: str | None, now: datetime) -> GrantDocument | None:
        """The document whose digest begins so, if it is remembered."""
        if not digest:
            return None
        view = self.at(now)
        former = (one for one in self._former if isinstance(one, GrantDocument))
        documents = chain((view.grants,), former)
        return next((one for one in documents if one.digest.startswith(digest)), None)

    def tells(self, device: DeviceEntry, digests: Iterable[str | None], now: datetime) -> bool:
        """Whether it, and every document whose digest begins so, says of a device what is."""
        documents = (self.at(now).grants, *(self.grants(digest, now) for digest in digests))
        shares = (one.share(device.device_id) if one else None for one in documents)
        return all(share and share.spec_sha256 == device.spec_sha256 for share in shares)

    def successor(self, entries: Iterable[Entry], given: Sequence[str]) -> Roster:
        """The roster after a change.

        Args:
            entries: all of them.
            given: beginnings of the digests of documents that are still spoken of: a Job was given
                one, or the target's status names it.
        """
        self._former = (*(self._view.made if self._view else ()), *self._former)
        self.forget(given)
        return Roster(entries, self._former)

    def forget(self, given: Sequence[str]) -> None:
        """Keep of the documents of earlier times only what is spoken of; `given` as above."""
        kept = {one.digest: one for one in self._former if one.digest.startswith(tuple(given))}
        self._former = tuple(kept.values())


def _owners(entries: Iterable[E], name: Callable[[E], object]) -> tuple[E, ...]:
    """Of those with the same name the oldest, in the order of their names."""
    owners: dict[object, E] = {}
    for entry in sorted(entries, key=lambda entry: entry.seniority):
        owners.setdefault(name(entry), entry)
    return tuple(sorted(owners.values(), key=name))  # type: ignore[arg-type]
