"""Builders of what follows a target: channels, devices, and releases that may be listed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Self

from sealyard.api.device import Device
from sealyard.api.digests import device_id
from sealyard.api.release_channel import NamedRelease, ReleaseChannel
from sealyard.core.roster import ChannelEntry, DeviceEntry, IndexDocument, ReleaseEntry, Roster
from support.builders import ReleaseBuilder, Resource, a_model_release, document


def device_keys(number: int) -> dict[str, str]:
    """Two public keys of a device, and the id that they make; others for each number."""
    encryption, signing = (
        base64.b64encode(half + number.to_bytes(31, "big")).decode() for half in (b"e", b"s")
    )
    return {
        "deviceId": device_id(encryption, signing),
        "encryptionKey": encryption,
        "signingKey": signing,
    }


class ChannelBuilder(Resource):
    """A ReleaseChannel."""

    def build(self) -> ReleaseChannel:
        return ReleaseChannel.from_wire(self.document)

    def entry(self) -> ChannelEntry:
        return ChannelEntry.of(self.build())

    def listing(self, version: str | None, previous: str | None = None) -> Self:
        """As it is once the index named these versions."""
        return self.with_status(
            listed=named(version).to_wire() if version else None,
            previous=named(previous).to_wire() if previous else None,
        )


class DeviceBuilder(Resource):
    """A Device."""

    def build(self) -> Device:
        return Device.from_wire(self.document)

    def entry(self) -> DeviceEntry:
        found = DeviceEntry.of(self.build())
        assert found is not None
        return found


def manifest_of(version: str) -> str:
    """The digest that stands for the manifest of a version."""
    return hashlib.sha256(version.encode()).hexdigest()


def named(version: str) -> NamedRelease:
    return NamedRelease(version=version, manifest_sha256=manifest_of(version))


def a_channel(wanted: str = "^1", channel: str = "stable") -> ChannelBuilder:
    spec = {
        "model": "coins",
        "channel": channel,
        "version": wanted,
        "targetRef": {"name": "stores"},
    }
    return ChannelBuilder(document(channel, f"{channel}-uid", spec))


def a_device(number: int = 1, *channels: str) -> DeviceBuilder:
    spec = {
        **device_keys(number),
        "level": "tpm2",
        "models": ["coins"],
        "channels": list(channels),
        "targetRef": {"name": "stores"},
    }
    return DeviceBuilder(document(f"device-{number}", f"device-{number}-uid", spec))


def a_listable_release(version: str, *, signed: bool = True) -> ReleaseBuilder:
    """A release that was verified; listed already, or for the first time."""
    builder = a_model_release().named(f"coins-{version}", uid=f"{version}-uid")
    return builder.with_spec("version", version).with_status(
        phase="Released" if signed else "Indexing",
        manifestSha256=manifest_of(version),
        trust="signed" if signed else None,
    )


def a_roster(
    *followers: ReleaseBuilder | ChannelBuilder | DeviceBuilder,
    former: Sequence[IndexDocument] = (),
) -> Roster:
    entries = (
        ReleaseEntry.of(one.build()) if isinstance(one, ReleaseBuilder) else one.entry()
        for one in followers
    )
    return Roster(entries, former)
