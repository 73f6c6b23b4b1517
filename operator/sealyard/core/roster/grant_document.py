"""What the grant Job is given."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import rfc8785

from sealyard.api.grants import GrantedRelease
from sealyard.api.index import WithdrawnRelease
from sealyard.api.secrets import DIGEST_SECRETS_MAX
from sealyard.core.roster.entries import DeviceEntry, Follows, ReleaseEntry
from sealyard.core.roster.naming import Naming


@dataclass(frozen=True, slots=True)
class Share:
    """What a grant Job is told of one device."""

    spec_sha256: str
    releases: int
    is_crowded_out: bool = False
    """Nothing is granted to it, because the Secret with its hardware's digest is not mounted."""


@dataclass(frozen=True, slots=True)
class Held:
    """Which slots a device is to have."""

    positions: tuple[int, ...] = ()
    """Of releases in the input."""
    restricted: tuple[str, ...] = ()
    """Models of which it is to have no others."""
    is_crowded_out: bool = False

    def encode(self) -> bytes:
        """Its part of the device's form."""
        return b"".join(
            (
                b',"releases":',
                rfc8785.dumps(list(self.positions)),
                b',"restrictedModels":',
                rfc8785.dumps(list(self.restricted)),
                b",",
            )
        )


class GrantDocument:
    """The RFC 8785 form of a `GrantInput`, and each device's share in it."""

    def __init__(
        self,
        releases: list[GrantedRelease],
        devices: list[tuple[DeviceEntry, Held]],
        withdrawn: list[WithdrawnRelease],
        digest_secrets: tuple[str, ...] = (),
    ):
        self.digest_secrets = digest_secrets
        """Those that the Job mounts for devices of level legacy."""
        texts = {held: held.encode() for held in {held for _, held in devices}}
        self.text = b"".join(
            (
                b'{"devices":[',
                b",".join(device.head + texts[held] + device.tail for device, held in devices),
                b'],"releases":',
                rfc8785.dumps([release.to_wire() for release in releases]),
                b',"withdrawnReleases":',
                rfc8785.dumps([release.to_wire() for release in withdrawn]),
                b"}",
            )
        )
        self.digest = hashlib.sha256(self.text).hexdigest()
        self._devices = {
            device.device_id: (device, len(held.positions), held.is_crowded_out)
            for device, held in devices
        }

    def share(self, device_id: str) -> Share | None:
        """What it says of a device."""
        found = self._devices.get(device_id)
        return Share(found[0].spec_sha256, *found[1:]) if found else None


def grants(
    releases: Iterable[ReleaseEntry],
    namings: Mapping[tuple[str, str], Naming],
    devices: Iterable[DeviceEntry],
    now: datetime,
) -> GrantDocument:
    """Which device gets which release.

    Args:
        releases: all of the target.
        namings: what each channel names, by model and channel.
        devices: one for each id.
        now: what has expired by then is granted no more.
    """
    releases, devices = list(releases), list(devices)
    open_now = _by_model(releases, namings, now) if devices else {}
    ordered = sorted(devices, key=lambda device: device.device_id)
    several = {device.follows for device in ordered if device.may_open(now)}
    wanted = {follows: _granted(follows, open_now, namings) for follows in several}
    named = sorted({_name(one) for some in wanted.values() for one in some})
    place = {name: position for position, name in enumerate(named)}
    held = {
        follows: Held(
            tuple(sorted(place[_name(one)] for one in some)), _restricted(follows, namings)
        )
        for follows, some in wanted.items()
    }
    nothing, crowded_out = Held(), Held(is_crowded_out=True)
    secrets = _digest_secrets(ordered, now)

    def held_by(device: DeviceEntry) -> Held:
        if not device.may_open(now):
            return nothing
        if device.digest_secret and device.digest_secret not in secrets:
            return crowded_out
        return held[device.follows]

    over = [one for one in releases if one.manifest_sha256 and one.ends(now)] if devices else []
    return GrantDocument(
        [GrantedRelease(model=m, version=v, manifest_sha256=sha256) for m, v, sha256 in named],
        [(one, held_by(one)) for one in ordered],
        [
            WithdrawnRelease(model=model, version=version)
            for model, version in sorted({one.name for one in over})
        ],
        secrets,
    )


def _digest_secrets(devices: Iterable[DeviceEntry], now: datetime) -> tuple[str, ...]:
    """The Secrets with hardware digests that a Job mounts: those that the oldest devices name."""
    oldest_first = sorted(devices, key=lambda device: device.seniority)
    named = dict.fromkeys(
        device.digest_secret
        for device in oldest_first
        if device.digest_secret and device.may_open(now)
    )
    return tuple(sorted(list(named)[:DIGEST_SECRETS_MAX]))


def _by_model(
    releases: Iterable[ReleaseEntry],
    namings: Mapping[tuple[str, str], Naming],
    now: datetime,
) -> dict[str, dict[str, GrantedRelease]]:
    """Every release that may be opened, by model and version."""
    found: defaultdict[str, dict[str, GrantedRelease]] = defaultdict(dict)
    for release in releases:
        if release.is_verified and release.manifest_sha256 and not release.ends(now):
            found[release.model][release.version] = GrantedRelease(
                model=release.model,
                version=release.version,
                manifest_sha256=release.manifest_sha256,
            )
    for (model, _), naming in namings.items():
        for named in naming.releases:
            found[model].setdefault(
                named.version, GrantedRelease(model=model, **named.model_dump())
            )
    return dict(found)


def _granted(
    follows: Follows,
    open_now: Mapping[str, Mapping[str, GrantedRelease]],
    namings: Mapping[tuple[str, str], Naming],
) -> list[GrantedRelease]:
    models, channels = follows
    if not channels:
        return [release for model in models for release in open_now.get(model, {}).values()]
    versions = {
        (model, named.version)
        for model, channel in product(models, channels)
        if (model, channel) in namings
        for named in namings[model, channel].releases
    }
    return [open_now[model][version] for model, version in versions]


def _restricted(follows: Follows, namings: Mapping[tuple[str, str], Naming]) -> tuple[str, ...]:
    """The models of which all that the device may have is known.

    Without channels it may have all that is listed, and that is more than the cluster has objects
    for; so may what a channel names whose object is gone, or is no range, or fits nothing (yet).
    """
    models, channels = follows
    if not channels:
        return ()
    return tuple(
        model
        for model in models
        if all(
            (naming := namings.get((model, channel))) is not None and naming.now is not None
            for channel in channels
        )
    )


def _name(release: GrantedRelease) -> tuple[str, str, str]:
    return release.model, release.version, release.manifest_sha256
