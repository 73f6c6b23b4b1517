"""ReleaseTarget: where releases go, and which Secrets open the doors."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from sealyard.api.attempts import Attempts
from sealyard.api.conditions import Condition
from sealyard.api.kind import CustomResource, PrinterColumn, ready_message
from sealyard.api.model import (
    HttpsUrl,
    LocalObjectReference,
    Model,
    Name,
    Sha256,
    Timestamp,
    says,
)
from sealyard.api.probe import ProbeStatus
from sealyard.api.s3 import Region


class ApiSpec(Model):
    """The release API, which keeps the small parts and the manifests."""

    url: HttpsUrl
    publisher_secret_ref: LocalObjectReference
    verifier_secret_ref: LocalObjectReference
    ca_bundle_ref: LocalObjectReference | None = Field(
        default=None, description="A ConfigMap with ca.crt; the system's roots where none is named."
    )


class CdnSpec(Model):
    """The S3-compatible store, which keeps the big parts."""

    endpoint: HttpsUrl
    region: Region = "us-east-1"
    bucket: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", max_length=63),
        says("must be the name of a bucket: 3 to 63 lower-case letters, digits, dashes and dots"),
    ]
    prefix: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9._]*(/[A-Za-z0-9][-A-Za-z0-9._]*)*$", max_length=128
        ),
        says(
            "must be a path without slashes around it, each part of letters, digits, '.', '_' and "
            "'-', beginning with a letter or digit"
        ),
    ] = "sealyard"
    write_secret_ref: LocalObjectReference
    read_secret_ref: LocalObjectReference
    ca_bundle_ref: LocalObjectReference | None = Field(
        default=None, description="A ConfigMap with ca.crt; the system's roots where none is named."
    )


class SplitSpec(Model):
    """How much of a sealed artifact the small part may hold: the lesser of the two limits."""

    max_bytes: Annotated[int, Field(ge=320, le=3072)] = Field(
        default=3072, description="Of the sealed artifact."
    )
    max_percent: Annotated[int, Field(ge=8, le=20)] = Field(
        default=20, description="Of the sealed artifact."
    )


class TrustSpec(Model):
    """The keys of the signed index: an offline root, and two that sign in a Job."""

    root_config_map_ref: LocalObjectReference = Field(
        description="The public chain of roots, `1.root.json` and on, as `sealyard trust init` "
        "makes it."
    )
    release_key_secret_ref: LocalObjectReference = Field(
        description="The key that signs which releases and channels there are."
    )
    freshness_key_secret_ref: LocalObjectReference = Field(
        description="The key that signs how long that holds."
    )
    index_lifetime_seconds: Annotated[int, Field(ge=3600, le=7_776_000)] = Field(
        default=604_800,
        description="How long devices believe an index that they cannot renew, and so how late a "
        "revocation may reach one that is kept offline. It is signed anew at half of it.",
    )


class ReleaseTargetSpec(Model):
    """Two stores that do not trust each other, and how a sealed artifact is split over them."""

    api: ApiSpec
    cdn: CdnSpec
    split: SplitSpec = Field(default_factory=SplitSpec)
    keyring_secret_ref: LocalObjectReference
    trust: TrustSpec | None = Field(
        default=None,
        description="Without it there is no signed index: releases are `unsigned`, channels name "
        "nothing, and nothing can be withdrawn.",
    )
    rewrap_generation: Annotated[int, Field(ge=0, le=2_147_483_647)] = Field(
        default=0,
        description="Raise it to have the small parts of all releases moved to the active key of "
        "the keyring, once for each new value.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self >= oldSelf",
                    "message": "may only grow: each new value asks for one more rewrap",
                }
            ]
        },
    )
    probe_interval_seconds: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=3600,
        description="How long after a probe that passed the next one comes. 0: none comes by "
        "itself. Whatever stands here, the target is probed when it is created or changed, and "
        "again and again while something is wrong.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self == 0 || self >= 60",
                    "message": "must be 0, or at least 60",
                }
            ]
        },
    )


class RewrapSummary(Model):
    """What a rewrap has seen and done."""

    key: Name = Field(description="The name of the active key that it found in the keyring.")
    releases: Annotated[int, Field(ge=0)]
    rewrapped: Annotated[int, Field(ge=0)] = Field(description="Small parts that were written.")
    unchanged: Annotated[int, Field(ge=0)] = Field(
        description="Small parts that were as they should be."
    )
    skipped: Annotated[int, Field(ge=0)] = Field(
        description="Variants of aes-256-cbc-v1, whose key changes only by a new release."
    )


class RewrapStatus(RewrapSummary):
    """The last rewrap that was done."""

    generation: Annotated[int, Field(ge=1)] = Field(
        description="The spec.rewrapGeneration that asked for it."
    )
    completed_at: Timestamp


class IndexStatus(Model):
    """The last index that was signed, and seen as a device sees it."""

    version: Annotated[int, Field(ge=1)] = Field(description="Of its timestamp.")
    expires: Timestamp
    digest: Sha256 = Field(description="Of what it was to hold, as the cluster said then.")


class GrantsStatus(Model):
    """The last grants that were made."""

    digest: Sha256 = Field(description="Of the devices and releases that they were made for.")
    devices: Annotated[int, Field(ge=0)] = Field(description="Of these, suspended ones too.")


class ReleaseTargetStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    probe: ProbeStatus | None = None
    rewrap: RewrapStatus | None = None
    index: IndexStatus | None = None
    grants: GrantsStatus | None = None
    summary: dict[str, Annotated[str, StringConstraints(max_length=128)]] | None = None
    tasks: Annotated[list[Attempts], Field(max_length=4)] | None = Field(
        default=None,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class ReleaseTarget(CustomResource):
    """Where the releases of a namespace go."""

    KIND: ClassVar[str] = "ReleaseTarget"
    PLURAL: ClassVar[str] = "releasetargets"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("rtgt",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        PrinterColumn("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        PrinterColumn("Probe", ".status.summary.probe"),
        PrinterColumn("Probed", ".status.probe.completedAt", type="date"),
        PrinterColumn("Devices", ".status.grants.devices", type="integer"),
        PrinterColumn("API", ".spec.api.url"),
        PrinterColumn("Bucket", ".spec.cdn.bucket"),
        PrinterColumn("CDN", ".spec.cdn.endpoint", wide=True),
        PrinterColumn("Rewrapped", ".status.rewrap.generation", type="integer", wide=True),
        PrinterColumn("Index", ".status.index.version", type="integer", wide=True),
        PrinterColumn("Index-Expires", ".status.index.expires", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: ReleaseTargetSpec
    status: ReleaseTargetStatus = Field(default_factory=ReleaseTargetStatus)
