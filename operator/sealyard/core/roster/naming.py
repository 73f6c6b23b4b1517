"""Which release a channel names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sealyard.api.release_channel import NamedRelease
from sealyard.core.roster.entries import ChannelEntry, ReleaseEntry
from sealyard.core.versions import highest, is_range


@dataclass(frozen=True, slots=True)
class Naming:
    """What a channel names."""

    is_valid: bool
    """Whether its version is a range at all."""
    now: NamedRelease | None = None
    last: NamedRelease | None = None
    """What it named before, where that may still be opened."""
    over: frozenset[str] = frozenset()
    """Versions that it is not to remember: nobody should get them any more."""

    @property
    def releases(self) -> tuple[NamedRelease, ...]:
        """What devices of the channel are granted."""
        return tuple(release for release in (self.now, self.last) if release)


class Candidates:
    """The releases that channels may name at a given time.

    Args:
        releases: all of a target.
        now: releases that have expired by then do not count.
    """

    def __init__(self, releases: Iterable[ReleaseEntry], now: datetime) -> None:
        self._known: defaultdict[str, set[str]] = defaultdict(set)
        self._over: defaultdict[str, set[str]] = defaultdict(set)
        self._manifests: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for release in releases:
            if release.manifest_sha256 is None:
                continue
            if release.ends(now):
                self._over[release.model].add(release.version)
            elif release.is_verified:
                self._manifests[release.model][release.version] = release.manifest_sha256
            else:
                # Published, and being proven: if it was listed before, by an object that was
                # created anew, the channel goes on naming it.
                continue
            self._known[release.model].add(release.version)

    def naming(self, channel: ChannelEntry) -> Naming:
        """What a channel names.

        A release whose object was deleted with Retain stays in the index, and so the channel may go
        on naming it; it is known from the channel's own status.
        """
        over = channel.remembered.intersection(self._over.get(channel.model, ()))
        if not is_range(channel.wanted):
            return Naming(is_valid=False, over=over)
        manifests = dict(self._manifests.get(channel.model, {}))
        for retained in (channel.previous, channel.listed):
            if retained and retained.version not in self._known.get(channel.model, ()):
                manifests[retained.version] = retained.manifest_sha256
        version = highest(manifests, channel.wanted)
        former = (
            channel.listed
            if channel.listed and channel.listed.version != version
            else channel.previous
        )
        may_stay = former and former.version != version and former.version in manifests
        return Naming(
            is_valid=True,
            now=_named(version, manifests) if version else None,
            last=_named(former.version, manifests) if former and may_stay else None,
            over=over,
        )


def _named(version: str, manifests: dict[str, str]) -> NamedRelease:
    return NamedRelease(version=version, manifest_sha256=manifests[version])
