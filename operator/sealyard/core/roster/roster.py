"""Everything that follows a target, and the input of its Jobs, made once for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sealyard.core.roster import grant_document, index_document
from sealyard.core.roster.entries import ChannelEntry, DeviceEntry, Entry, ReleaseEntry
from sealyard.core.roster.grant_document import GrantDocument
from sealyard.core.roster.index_document import IndexDocument
from sealyard.core.roster.naming import Candidates, Naming

Document = IndexDocument | GrantDocument
E = TypeVar("E", ChannelEntry, DeviceEntry)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What follows from a roster at a time."""

    namings: dict[tuple[str, str], Naming]
    """What each channel names, by model and channel."""
    full: IndexDocument
    held: IndexDocument
    """For as long as something is not granted yet."""
    grants: GrantDocument
    is_urgent: bool
    """Something must leave the index, and nothing says yet that it has."""
    until: datetime | None
    """When something expires, and this view with it."""

    @property
    def documents(self) -> tuple[Document, ...]:
        """All input."""
        return self.full, self.held, self.grants


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
            self._former = (*view.documents, *self._former)
        self._view = self._look(now)
        return self._view

    def naming(self, channel: ChannelEntry, now: datetime) -> Naming:
        """What a channel names, whether it is in the roster yet or not."""
        return Candidates(self.releases, now).naming(channel)

    def index(self, digest: str | None, now: datetime) -> IndexDocument | None:
        """The document with this digest, if it is remembered."""
        documents = (one for one in self._documents(now) if isinstance(one, IndexDocument))
        return next((one for one in documents if one.digest == digest), None)

    def grants(self, digest: str | None, now: datetime) -> GrantDocument | None:
        """The document with this digest, if it is remembered."""
        documents = (one for one in self._documents(now) if isinstance(one, GrantDocument))
        return next((one for one in documents if one.digest == digest), None)

    def successor(self, entries: Iterable[Entry], given: Sequence[str]) -> Roster:
        """The roster after a change.

        Args:
            entries: all of them.
            given: beginnings of the digests of documents that are still spoken of: a Job was given
                one, or the target's status names it.
        """
        known = (*(self._view.documents if self._view else ()), *self._former)
        kept = {one.digest: one for one in known if one.digest.startswith(tuple(given))}
        return Roster(entries, tuple(kept.values()))

    def _documents(self, now: datetime) -> tuple[Document, ...]:
        return (*self.at(now).documents, *self._former)

    def _look(self, now: datetime) -> View:
        candidates = Candidates(self.releases, now)
        channels = {channel: candidates.naming(channel) for channel in self.channels}
        namings = {channel.name: naming for channel, naming in channels.items()}
        ends = [
            *(release.not_after for release in self.releases),
            *(device.not_after for device in self.devices),
        ]
        return View(
            namings=namings,
            full=index_document.full(self.releases, channels, now),
            held=index_document.held(self.releases, channels, now),
            grants=grant_document.grants(self.releases, namings, self.devices, now),
            is_urgent=any(one.is_urgent and one.manifest_sha256 for one in self.releases),
            until=min((end for end in ends if end and end > now), default=None),
        )


def _owners(entries: Iterable[E], name: Callable[[E], object]) -> tuple[E, ...]:
    """Of those with the same name the oldest, in the order of their names."""
    owners: dict[object, E] = {}
    for entry in sorted(entries, key=lambda entry: entry.seniority):
        owners.setdefault(name(entry), entry)
    return tuple(sorted(owners.values(), key=name))  # type: ignore[arg-type]
