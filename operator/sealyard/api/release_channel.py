"""ReleaseChannel: devices that follow this channel of a model get this version."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.conditions import Condition
from sealyard.api.kind import CustomResource, PrinterColumn, immutable, ready_message
from sealyard.api.model import LocalObjectReference, Model, Name, SemVer, Sha256, says

RANGE_MAX_LENGTH = 128

VersionRange = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z.*^~<>=| -]+$", max_length=RANGE_MAX_LENGTH),
    says("must be a version or a range as npm has them: 1.2.3, ^1.2, ~1.2.3, >=1.2 <2, 1.x || 2.x"),
]


class ReleaseChannelSpec(Model):
    """Which releases a channel may name. What it is called and where it lies never changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                immutable("model"),
                immutable("channel"),
                immutable("targetRef"),
            ]
        }
    )

    model: Name
    channel: Name = Field(description="The name that devices follow: stable, beta, …")
    version: VersionRange = Field(
        description="An exact version, or a range in the grammar of node-semver: of the versions "
        "that are released and not revoked, the one of the highest precedence. A pre-release only "
        "if the range names one of the same version."
    )
    target_ref: LocalObjectReference


class NamedRelease(Model):
    """A release by its version, and by the manifest that was verified under it."""

    version: SemVer
    manifest_sha256: Sha256


class ReleaseChannelStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    wanted: SemVer | None = Field(
        default=None, description="The version that the spec means now; none where none matches."
    )
    listed: NamedRelease | None = Field(
        default=None, description="What the signed index says, and so what devices get."
    )
    previous: NamedRelease | None = Field(
        default=None,
        description="What it said before. Devices of the channel keep being granted that, so that "
        "they can fall back to it.",
    )
    devices: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How many Devices name the channel, and its model."
    )


class ReleaseChannel(CustomResource):
    """Says which version of a model the devices get that follow one of its channels."""

    KIND: ClassVar[str] = "ReleaseChannel"
    PLURAL: ClassVar[str] = "releasechannels"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("rchan",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Model", ".spec.model"),
        PrinterColumn("Channel", ".spec.channel"),
        PrinterColumn("Version", ".status.listed.version"),
        PrinterColumn("Wanted", ".status.wanted"),
        PrinterColumn("Range", ".spec.version", wide=True),
        PrinterColumn("Devices", ".status.devices", type="integer", wide=True),
        PrinterColumn("Target", ".spec.targetRef.name", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: ReleaseChannelSpec
    status: ReleaseChannelStatus = Field(default_factory=ReleaseChannelStatus)
