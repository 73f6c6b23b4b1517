"""What the grant Job is given: devices, releases, and who gets which (contracts.md section 5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sealyard.api.device_api import MODELS_MAX, DeviceId, DeviceLevel, RawKey
from sealyard.api.index import WithdrawnRelease
from sealyard.api.model import Model, Name, ObjectName, SemVer, Sha256, Timestamp


class GrantedRelease(Model):
    """A verified release that some device is to open."""

    model: Name
    version: SemVer
    manifest_sha256: Sha256


class AuthorisedDevice(Model):
    """A device as its reviewed YAML describes it, and the releases that follow from that."""

    device_id: DeviceId
    encryption_key: RawKey
    signing_key: RawKey
    level: DeviceLevel
    hardware_digest_secret: ObjectName | None = Field(
        default=None, description="Of level legacy: the Secret that is mounted under its name."
    )
    models: Annotated[list[Name], Field(max_length=MODELS_MAX)]
    not_after: Timestamp | None = None
    suspended: bool = False
    releases: list[Annotated[int, Field(ge=0)]] = Field(
        default_factory=list, description="Positions in `releases` of the input."
    )
    restricted_models: Annotated[list[Name], Field(max_length=MODELS_MAX)] = Field(
        default_factory=list,
        description="Of these models it is to have no other slots. Of the others it keeps what it "
        "has: what is listed there is not known.",
    )


class GrantInput(Model):
    """All devices of a target, in the order of their ids, and the releases that they name."""

    releases: Annotated[list[GrantedRelease], Field(max_length=20_000)] = Field(
        default_factory=list
    )
    devices: Annotated[list[AuthorisedDevice], Field(max_length=20_000)] = Field(
        default_factory=list
    )
    withdrawn_releases: Annotated[list[WithdrawnRelease], Field(max_length=20_000)] = Field(
        default_factory=list,
        description="Revoked, expired or about to be withdrawn: no device keeps a slot.",
    )
