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
from sealyard.core.roster.entries import DeviceEntry, ReleaseEntry
from sealyard.core.roster.naming import Naming

_Follows = tuple[tuple[str, ...], tuple[str, ...]]
"""Models and channels of a device: a fleet has few of these pairs."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a grant Job is told of one device."""

    spec_sha256: str
    releases: int


class GrantDocument:
    """The RFC 8785 form of a `GrantInput`, and each device's share in it."""

    def __init__(
        self, releases: list[GrantedRelease], devices: list[tuple[DeviceEntry, list[int]]]
    ):
        several = {tuple(positions): positions for _, positions in devices}
        texts = {
            key: b',"releases":' + rfc8785.dumps(positions) + b","
            for key, positions in several.items()
        }
        self.text = b"".join(
            (
                b'{"devices":[',
                b",".join(
                    device.head + texts[tuple(positions)] + device.tail
                    for device, positions in devices
                ),
                b'],"releases":',
                rfc8785.dumps([release.to_wire() for release in releases]),
                b"}",
            )
        )
        self.digest = hashlib.sha256(self.text).hexdigest()
        self._devices = {device.device_id: (device, len(held)) for device, held in devices}

    def share(self, device_id: str) -> Share | None:
        """What it says of a device."""
        found = self._devices.get(device_id)
        return Share(found[0].spec_sha256, found[1]) if found else None


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
    devices = list(devices)
    open_now = _by_model(releases, namings, now) if devices else {}
    wanted: dict[_Follows, list[GrantedRelease]] = {}
    nothing: list[GrantedRelease] = []
    held = []
    for device in sorted(devices, key=lambda device: device.device_id):
        follows = device.models, device.channels
        if not device.may_open(now):
            held.append((device, nothing))
            continue
        if follows not in wanted:
            wanted[follows] = _granted(follows, open_now, namings)
        held.append((device, wanted[follows]))
    named = sorted({_name(one) for some in wanted.values() for one in some})
    place = {name: position for position, name in enumerate(named)}
    positions = {
        id(some): sorted(place[_name(one)] for one in some) for some in (*wanted.values(), nothing)
    }
    return GrantDocument(
        [GrantedRelease(model=m, version=v, manifest_sha256=sha256) for m, v, sha256 in named],
        [(device, positions[id(some)]) for device, some in held],
    )


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
    follows: _Follows,
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


def _name(release: GrantedRelease) -> tuple[str, str, str]:
    return release.model, release.version, release.manifest_sha256
