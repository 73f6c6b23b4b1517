"""What is kept of a release, a channel, a device and their target: as much as decides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from sealyard.api.attempts import EndReason
from sealyard.api.device import Device
from sealyard.api.kind import WITHDRAW_FINALIZER
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_channel import NamedRelease, ReleaseChannel
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.secrets import Role
from sealyard.core.device_keys import fault_of_keys
from sealyard.core.times import end_time, format_time


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """What those that follow a target look at."""

    has_trust: bool
    index_digest: str | None
    grants_digest: str | None
    granted_by: int | None = None
    """The number of the newest grant Job that ended, if it succeeded."""
    grants_started: int = 0
    """The number of the newest grant Job."""

    @classmethod
    def of(cls, target: ReleaseTarget) -> TargetEntry:
        """The entry of a target."""
        status = target.status
        ledger = next((one for one in status.tasks or () if one.name == Role.GRANT), None)
        end = ledger.last_end if ledger else None
        return cls(
            target.spec.trust is not None,
            status.index.digest if status.index else None,
            status.grants.digest if status.grants else None,
            end.attempt if end and end.reason == EndReason.DONE else None,
            ledger.started if ledger else 0,
        )


@dataclass(frozen=True, slots=True)
class ReleaseEntry:
    """A release. Only one of those with the same version and target ever has a manifest."""

    model: str
    version: str
    manifest_sha256: str | None
    not_after: datetime | None
    is_verified: bool
    is_signed: bool
    """A signed index listed it."""
    is_over: bool
    """Revoked, expired, or being deleted by somebody who wants it withdrawn."""
    is_urgent: bool
    """It must leave the index, and nothing says yet that it has."""

    @classmethod
    def of(cls, release: ModelRelease) -> ReleaseEntry:
        """The entry of a release."""
        metadata, spec, status = release.metadata, release.spec, release.status
        is_leaving = (
            metadata.deletion_timestamp is not None and WITHDRAW_FINALIZER in metadata.finalizers
        )
        return cls(
            spec.model,
            spec.version,
            status.manifest_sha256,
            end_time(spec.not_after),
            is_verified=status.phase in {"Indexing", "Released"},
            is_signed=status.trust == "signed",
            is_over=spec.revoked or is_leaving or status.phase in {"Expired", "Revoked"},
            is_urgent=is_leaving or (spec.revoked and status.phase not in {"Revoked", "Expired"}),
        )

    def ends(self, now: datetime) -> bool:
        """Whether nobody should get it any more."""
        return self.is_over or (self.not_after is not None and self.not_after <= now)

    @property
    def name(self) -> tuple[str, str]:
        """Model and version."""
        return self.model, self.version


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """A channel: what is wanted, and what is known to be listed."""

    model: str
    channel: str
    wanted: str
    listed: NamedRelease | None
    previous: NamedRelease | None
    seniority: tuple[str, str]
    """When it was created, and its uid: of two of the same name the lesser one owns it."""
    is_leaving: bool = False
    """It is being deleted, and its status tells nothing new."""

    @classmethod
    def of(cls, channel: ReleaseChannel) -> ChannelEntry:
        """The entry of a channel."""
        metadata, spec, status = channel.metadata, channel.spec, channel.status
        return cls(
            spec.model,
            spec.channel,
            spec.version,
            status.listed,
            status.previous,
            (metadata.creation_timestamp, metadata.uid),
            is_leaving=metadata.deletion_timestamp is not None,
        )

    @property
    def remembered(self) -> frozenset[str]:
        """The versions that it names, or named last."""
        return frozenset(one.version for one in (self.listed, self.previous) if one)

    @property
    def name(self) -> tuple[str, str]:
        """Model and channel."""
        return self.model, self.channel


Follows = tuple[tuple[str, ...], tuple[str, ...]]
"""Models and channels of a device: a fleet has few of these pairs."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device, with its part of the grant Job's input in RFC 8785 form.

    That form is made once for each device that changes: made anew for all of ten thousand, it would
    take a second each time.
    """

    device_id: str
    models: tuple[str, ...]
    channels: tuple[str, ...]
    not_after: datetime | None
    suspended: bool
    seniority: tuple[str, str]
    digest_secret: str | None
    """Of level legacy: the Secret with the digest of its hardware."""
    head: bytes
    """`{"deviceId":…,` and on, up to where `"releases"` belongs."""
    tail: bytes
    """What comes after it."""

    @classmethod
    def of(cls, device: Device) -> DeviceEntry | None:
        """The entry of a device; none where its keys are no good."""
        metadata, spec = device.metadata, device.spec
        if fault_of_keys(spec):
            return None
        # Whoever deletes a device takes its authorisation back.
        is_suspended = spec.suspend or metadata.deletion_timestamp is not None
        models = tuple(sorted(set(spec.models)))
        not_after = end_time(spec.not_after)
        head: dict[str, Any] = {
            "deviceId": spec.device_id,
            "encryptionKey": spec.encryption_key,
            "level": spec.level,
            "models": list(models),
        }
        digest_secret = spec.hardware_digest_secret_ref
        if digest_secret:
            head["hardwareDigestSecret"] = digest_secret.name
        if not_after:
            head["notAfter"] = format_time(not_after)
        tail: dict[str, Any] = {"signingKey": spec.signing_key, "suspended": is_suspended}
        return cls(
            spec.device_id,
            models,
            tuple(sorted(set(spec.channels or ()))),
            not_after,
            is_suspended,
            (metadata.creation_timestamp, metadata.uid),
            digest_secret.name if digest_secret else None,
            rfc8785.dumps(head)[:-1],
            rfc8785.dumps(tail)[1:],
        )

    def may_open(self, now: datetime) -> bool:
        """Whether it is granted anything."""
        return not self.suspended and (self.not_after is None or self.not_after > now)

    @property
    def follows(self) -> Follows:
        """What decides which releases it is granted."""
        return self.models, self.channels

    @property
    def spec_sha256(self) -> str:
        """The digest of what the release API is told about it, and of what it follows.

        With the channels: on one that it did not follow before, it may have been granted nothing.
        """
        follows = rfc8785.dumps(list(self.channels))
        return hashlib.sha256(self.head + self.tail + follows).hexdigest()


Entry = ReleaseEntry | ChannelEntry | DeviceEntry
"""What follows a target."""
