"""The signed index: where its files lie, and what goes into it (contracts.md section 4)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from sealyard.api.model import Model, Name, SemVer, Sha256, Timestamp

TUF_PATH: Final = "/tuf"
"""Below it lie `timestamp.json`, `N.snapshot.json`, `N.targets.json`, `N.root.json` and
`targets/`; The Update Framework's consistent snapshots, so all but the timestamp never change."""
TUF_TARGETS_PATH: Final = "/tuf/targets"

ROOT_MAX_BYTES: Final = 64 * 1024
TIMESTAMP_MAX_BYTES: Final = 16 * 1024
SNAPSHOT_MAX_BYTES: Final = 64 * 1024
TARGETS_MAX_BYTES: Final = 8 * 1024 * 1024
CHANNEL_MAX_BYTES: Final = 4096


def manifest_target(model: str, version: str) -> str:
    """The target path of a release's manifest; its file is named with the digest in front."""
    return f"{model}/{version}/manifest.json"


def channel_target(model: str, channel: str) -> str:
    """The target path of a channel. No version is called `channels`."""
    return f"{model}/channels/{channel}.json"


class ListedRelease(Model):
    """A release that is to stand in the index."""

    model: Name
    version: SemVer
    manifest_sha256: Sha256
    not_after: Timestamp | None = None


class ListedChannel(Model):
    """A channel and the release that it names; also the content of its target file."""

    model: Name
    channel: Name
    version: SemVer
    manifest_sha256: Sha256


class WithdrawnRelease(Model):
    """A release that must stand in the index no longer: revoked, expired or withdrawn."""

    model: Name
    version: SemVer


class WithdrawnChannel(Model):
    """A channel that must stand in the index no longer."""

    model: Name
    channel: Name


class IndexInput(Model):
    """What the cluster wants to be listed. What it does not name stays as it is in the index."""

    releases: Annotated[list[ListedRelease], Field(max_length=20_000)] = Field(default_factory=list)
    channels: Annotated[list[ListedChannel], Field(max_length=20_000)] = Field(default_factory=list)
    withdrawn_releases: Annotated[list[WithdrawnRelease], Field(max_length=20_000)] = Field(
        default_factory=list
    )
    withdrawn_channels: Annotated[list[WithdrawnChannel], Field(max_length=20_000)] = Field(
        default_factory=list
    )
