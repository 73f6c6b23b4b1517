"""What the next index lists: what it lists now, and what the cluster wants or takes back. Pure.

What the cluster does not name stays as it is. So an object that is deleted and leaves its release
in place takes nothing back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import rfc8785

from sealyard.api.index import (
    IndexInput,
    ListedChannel,
    ListedRelease,
    channel_target,
    manifest_target,
)
from sealyard.core.times import parse_time

NOT_AFTER: Final = "notAfter"
"""In `custom` of a release's target: `Listed.not_after`."""
VERSION: Final = "version"
"""In `custom` of a channel's target: `Listed.version`."""
TARGETS_LIFETIME: Final = timedelta(days=90)
_TARGETS_LEFT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Listed:
    """A target file as the index describes it.

    Attributes:
        sha256: hex.
        size_bytes: its length.
        not_after: until when a release may be opened; None without an end, and for channels.
        version: of the release that a channel names; None for releases.
    """

    sha256: str
    size_bytes: int
    not_after: str | None = None
    version: str | None = None

    @classmethod
    def of(cls, content: bytes, *, version: str) -> Listed:
        """A channel's file with this content."""
        return cls(hashlib.sha256(content).hexdigest(), len(content), version=version)


@dataclass(frozen=True, slots=True)
class Releases:
    """The releases of the next index.

    Attributes:
        listed: by target path, as far as the length of their manifests is known.
        unread: those that are new; somebody must read their manifests.
    """

    listed: Mapping[str, Listed]
    unread: tuple[ListedRelease, ...]

    def read(self, sizes: Mapping[str, int]) -> Mapping[str, Listed]:
        """All releases, once the manifests were read; without those that could not be.

        Args:
            sizes: the length of a manifest of the right digest, by target path.
        """
        read = {
            path: Listed(release.manifest_sha256, sizes[path], release.not_after)
            for release in self.unread
            if (path := manifest_target(release.model, release.version)) in sizes
        }
        return {**self.listed, **read}


def next_releases(current: Mapping[str, Listed], wanted: IndexInput, now: datetime) -> Releases:
    """The releases of the next index. A withdrawal beats a wish, and what has expired goes.

    Args:
        current: what the verified index lists, by target path.
        wanted: what the cluster says.
        now: decides what has expired.
    """
    gone = {manifest_target(one.model, one.version) for one in wanted.withdrawn_releases}
    listed = {path: one for path, one in current.items() if one.version is None}
    unread = {}
    for release in wanted.releases:
        path = manifest_target(release.model, release.version)
        known = listed.pop(path, None)
        if known is not None and known.sha256 == release.manifest_sha256:
            listed[path] = replace(known, not_after=release.not_after)
        elif path not in gone and not is_over(release.not_after, now):
            unread[path] = release
    kept = {
        path: one
        for path, one in listed.items()
        if path not in gone and not is_over(one.not_after, now)
    }
    return Releases(kept, tuple(unread.values()))


def next_channels(
    current: Mapping[str, Listed], releases: Mapping[str, Listed], wanted: IndexInput
) -> dict[str, Listed]:
    """The channels of the next index, each with a release that is listed.

    A channel whose new release is not listed stays where it is, and goes with the release that it
    names.

    Args:
        current: what the verified index lists, by target path.
        releases: what the next index lists, by target path.
        wanted: what the cluster says.
    """
    gone = {channel_target(one.model, one.channel) for one in wanted.withdrawn_channels}
    channels = {path: one for path, one in current.items() if one.version is not None}
    for channel in wanted.channels:
        release = releases.get(manifest_target(channel.model, channel.version))
        if release is not None and release.sha256 == channel.manifest_sha256:
            path = channel_target(channel.model, channel.channel)
            channels[path] = Listed.of(channel_file(channel), version=channel.version)
    return {
        path: one
        for path, one in channels.items()
        if path not in gone
        and one.version
        and manifest_target(model_of(path), one.version) in releases
    }


def channel_file(channel: ListedChannel) -> bytes:
    """The content of a channel's target file, in the one spelling that RFC 8785 leaves."""
    return rfc8785.dumps(channel.to_wire())


def model_of(path: str) -> str:
    """The model that a target path belongs to."""
    return path.partition("/")[0]


def is_over(not_after: str | None, now: datetime) -> bool:
    """Whether a release's time is over. A time that nobody can read is over."""
    if not_after is None:
        return False
    end = parse_time(not_after)
    return end is None or end <= now


def is_due(expires: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Whether timestamp and snapshot are to be signed anew: half of their lifetime is over.

    What expires later than it would if it were signed now is too: the lifetime was shortened.
    """
    left = expires - now
    return left < lifetime / 2 or left > lifetime


def are_targets_due(expires: datetime, lifetime: timedelta, now: datetime) -> bool:
    """Whether the targets are to be signed anew though nothing in them changes.

    The next one to look may come only when half of the freshness' lifetime is over; they must last
    well beyond that.
    """
    return expires - now < lifetime / 2 + _TARGETS_LEFT
