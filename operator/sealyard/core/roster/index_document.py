"""What the index Job is given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import rfc8785

from sealyard.api.index import (
    IndexInput,
    ListedChannel,
    ListedRelease,
    WithdrawnChannel,
    WithdrawnRelease,
)
from sealyard.api.release_channel import NamedRelease
from sealyard.core.roster.entries import ChannelEntry, ReleaseEntry
from sealyard.core.roster.naming import Naming
from sealyard.core.times import format_time


class IndexDocument:
    """The input of an index Job, its RFC 8785 form, and what it says."""

    def __init__(self, document: IndexInput) -> None:
        self.text = rfc8785.dumps(document.to_wire())
        self.digest = hashlib.sha256(self.text).hexdigest()
        self._releases = {
            (release.model, release.version): release.manifest_sha256
            for release in document.releases
        }
        self._channels = {(one.model, one.channel): one for one in document.channels}
        self._withdrawn = {(one.model, one.version) for one in document.withdrawn_releases}
        self._closed = {(one.model, one.channel) for one in document.withdrawn_channels}

    def lists(self, model: str, version: str, manifest_sha256: str | None) -> bool:
        """Whether the release stands in it, with this manifest."""
        return manifest_sha256 is not None and (
            self._releases.get((model, version)) == manifest_sha256
        )

    def withdraws(self, model: str, version: str) -> bool:
        """Whether it takes the release out of the index."""
        return (model, version) in self._withdrawn

    def channel(self, model: str, channel: str) -> ListedChannel | None:
        """What it says that the channel names."""
        return self._channels.get((model, channel))

    def closes(self, model: str, channel: str) -> bool:
        """Whether it takes the channel out of the index."""
        return (model, channel) in self._closed

    def is_noted_by(self, channel: ChannelEntry) -> bool:
        """Whether the channel's status says what this says of it."""
        named = self.channel(*channel.name)
        if named is None:
            return channel.listed is None or not self.closes(*channel.name)
        return channel.listed == NamedRelease(
            version=named.version, manifest_sha256=named.manifest_sha256
        )


def full(
    releases: Sequence[ReleaseEntry],
    channels: Mapping[ChannelEntry, Naming],
    now: datetime,
) -> IndexDocument:
    """Everything that is to be listed: for when all of it is granted."""
    return _document(
        [release for release in releases if release.is_verified and not release.ends(now)],
        channels,
        releases,
        now,
    )


def held(
    releases: Sequence[ReleaseEntry],
    channels: Mapping[ChannelEntry, Naming],
    now: datetime,
) -> IndexDocument:
    """The same without what is new, and so may not be granted yet.

    What an index Job is not told stays as it is. So a withdrawal waits for no grant.
    """
    settled = {
        channel: naming
        for channel, naming in channels.items()
        if naming.now is None or naming.now == channel.listed
    }
    signed = [
        release
        for release in releases
        if release.is_verified and release.is_signed and not release.ends(now)
    ]
    return _document(signed, settled, releases, now)


def _document(
    listed: Iterable[ReleaseEntry],
    channels: Mapping[ChannelEntry, Naming],
    releases: Iterable[ReleaseEntry],
    now: datetime,
) -> IndexDocument:
    over = [release for release in releases if release.manifest_sha256 and release.ends(now)]
    valid = [(channel, naming) for channel, naming in channels.items() if naming.is_valid]
    return IndexDocument(
        IndexInput(
            releases=[
                ListedRelease(
                    model=release.model,
                    version=release.version,
                    manifest_sha256=release.manifest_sha256,
                    not_after=format_time(release.not_after) if release.not_after else None,
                )
                for release in _sorted(listed)
                if release.manifest_sha256
            ],
            channels=[
                ListedChannel(
                    model=channel.model,
                    channel=channel.channel,
                    version=naming.now.version,
                    manifest_sha256=naming.now.manifest_sha256,
                )
                for channel, naming in valid
                if naming.now
            ],
            withdrawn_releases=[
                WithdrawnRelease(model=release.model, version=release.version)
                for release in _sorted(over)
            ],
            withdrawn_channels=[
                WithdrawnChannel(model=channel.model, channel=channel.channel)
                for channel, naming in valid
                if naming.now is None
            ],
        )
    )


def _sorted(releases: Iterable[ReleaseEntry]) -> list[ReleaseEntry]:
    return sorted(releases, key=lambda release: release.name)
