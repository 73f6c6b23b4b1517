"""Device: this machine, with these public keys, may open these models."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from sealyard.api.conditions import Condition
from sealyard.api.device_api import MODELS_MAX, DeviceId, DeviceLevel, RawKey
from sealyard.api.kind import (
    CustomResource,
    PrinterColumn,
    immutable,
    immutable_optional,
    ready_message,
)
from sealyard.api.model import EndTime, LocalObjectReference, Model, Name, Sha256, says

CHANNELS_MAX = 16
A_KEY = says("must be a raw public key of 32 bytes in base64, as `sealyard device init` prints it")

DevicePhase = Literal["Pending", "Authorised", "Suspended", "Expired"]


class DeviceSpec(Model):
    """What `sealyard device init` prints, and for how long it holds. Keys are for ever."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                immutable("deviceId"),
                immutable("encryptionKey"),
                immutable("signingKey"),
                immutable("targetRef"),
                immutable_optional("hardwareDigestSecretRef"),
                {
                    "rule": '(self.level == "legacy") == has(self.hardwareDigestSecretRef)',
                    "message": "must be there with level legacy, and only then",
                    "fieldPath": ".hardwareDigestSecretRef",
                },
            ]
        }
    )

    device_id: Annotated[
        DeviceId, says("must be 32 hexadecimal digits, as `sealyard device init` prints them")
    ] = Field(description="Made of both public keys.")
    encryption_key: Annotated[RawKey, A_KEY] = Field(description="X25519, raw, in base64.")
    signing_key: Annotated[RawKey, A_KEY] = Field(description="Ed25519, raw, in base64.")
    level: DeviceLevel = Field(
        description="How the device keeps its private keys. Its own claim. `legacy` opens "
        "aes-256-cbc-v1 and nothing else, all others sealed-v2."
    )
    hardware_digest_secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="With level legacy: the Secret whose key `hardware-digests.json` has the "
        "digest of its hardware, as `sealyard device facts --digest` prints it, by device id. "
        "Many devices may share one; 32 are read for a ReleaseTarget.",
    )
    fingerprint_commitment: (
        Annotated[Sha256, says("must be a SHA-256 in lower-case hexadecimal digits")] | None
    ) = Field(
        default=None, description="To the hardware that it was made on; nothing is derived from it."
    )
    models: Annotated[list[Name], Field(min_length=1, max_length=MODELS_MAX)] = Field(
        description="The models that it may open.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    channels: Annotated[list[Name], Field(max_length=CHANNELS_MAX)] | None = Field(
        default=None,
        description="If any stand here, it is granted only what one of these channels of its "
        "models names, or named last; else every release of its models.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    not_after: EndTime | None = Field(
        default=None, description="From then on it is let in no more, and granted nothing."
    )
    suspend: bool = Field(
        default=False,
        description="Ends its login and deletes what was granted to it. What it holds already "
        "opens until the index expires.",
    )
    target_ref: LocalObjectReference


class DeviceGrants(Model):
    """What the last grant Job did for this device."""

    releases: Annotated[int, Field(ge=0)] = Field(description="That it may open.")
    spec_sha256: Sha256 = Field(
        description="Of what the release API was told about it, and what it followed then."
    )


class DeviceStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    phase: DevicePhase | None = None
    grants: DeviceGrants | None = None


class Device(CustomResource):
    """Authorises one machine, by its public keys, to open models."""

    KIND: ClassVar[str] = "Device"
    PLURAL: ClassVar[str] = "devices"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("dev",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Phase", ".status.phase"),
        PrinterColumn("Level", ".spec.level"),
        PrinterColumn("Releases", ".status.grants.releases", type="integer"),
        PrinterColumn("Not-After", ".spec.notAfter"),
        PrinterColumn("Device-ID", ".spec.deviceId", wide=True),
        PrinterColumn("Models", ".spec.models", wide=True),
        PrinterColumn("Channels", ".spec.channels", wide=True),
        PrinterColumn("Target", ".spec.targetRef.name", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: DeviceSpec
    status: DeviceStatus = Field(default_factory=DeviceStatus)
