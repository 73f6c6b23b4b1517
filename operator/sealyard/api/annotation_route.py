"""AnnotationRoute: take annotations from this stream and file them by the role of who made them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.conditions import Condition
from sealyard.api.dataset import ClaimSource
from sealyard.api.kind import CustomResource, PrinterColumn, immutable, ready_message, rules
from sealyard.api.model import LocalObjectReference, Model, Quantity, Timestamp, says
from sealyard.api.s3 import S3Folder

RoleName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", max_length=64),
    says("must be the name of a role: Validator, say"),
]
StreamName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=255),
    says("must be the name of a stream: letters, digits and . _ : / -"),
]
ClassName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$"),
    says("must have no control characters"),
]
APPEND_ONLY = {
    "x-kubernetes-validations": [
        {
            "rule": ("(self.join('\\n') + '\\n').startsWith(oldSelf.join('\\n') + '\\n')"),
            "message": "may only be added to at the end: labels that are filed count them",
        }
    ]
}


class RabbitmqStream(Model):
    """A stream of RabbitMQ, reached over TLS, which is always verified.

    What is filed is of one stream, and so is the journal; its broker may move.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [immutable("stream"), immutable("virtualHost")]
        }
    )

    host: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253),
        says("must be a host name in lower case, without a port"),
    ]
    port: Annotated[int, Field(ge=1, le=65_535)] = 5551
    virtual_host: Annotated[str, StringConstraints(max_length=255)] = "/"
    stream: StreamName
    credentials_secret_ref: LocalObjectReference = Field(
        description="Has queue-username and queue-password, of a user that may read the stream."
    )
    ca_bundle_ref: LocalObjectReference | None = Field(
        default=None, description="A ConfigMap with ca.crt; the system's roots where none is named."
    )


class SourceSpec(Model):
    """Where annotations come from."""

    rabbitmq_stream: RabbitmqStream


class JwtIdentity(Model):
    """Tokens in the messages, signed by a key of a set."""

    key_set_secret_ref: LocalObjectReference = Field(
        description="Has identity-keys.json: a JSON Web Key Set of public keys."
    )
    audience: Annotated[str, StringConstraints(min_length=1, max_length=253)] = (
        "sealyard-annotations"
    )
    issuer: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = Field(
        default=None, description="Whose tokens count; anybody's in the set where none is given."
    )


class BrokerUser(Model):
    """A user of the broker, and the role that he has."""

    user: Annotated[str, StringConstraints(min_length=1, max_length=254)]
    role: RoleName


class BrokerUserIdentity(Model):
    """The user id of a message. RabbitMQ 3.10 checks it of what comes through an exchange; whoever
    may write to the stream itself, or publish to a newer RabbitMQ, can put any name there."""

    roles: Annotated[list[BrokerUser], Field(min_length=1, max_length=256)]


class IdentitySpec(Model):
    """Where a role comes from: exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have exactly one of jwt, brokerUser and claim": (
                    "[has(self.jwt), has(self.brokerUser), has(self.claim)]"
                    ".filter(given, given).size() == 1"
                )
            }
        )
    )

    jwt: JwtIdentity | None = None
    broker_user: BrokerUserIdentity | None = None
    claim: Literal["Trusted"] | None = Field(
        default=None, description="Whatever role a message names is believed. A condition says so."
    )


class RolesSpec(Model):
    """Which proven roles file where; any other, and none, files as seed."""

    validated: Annotated[list[RoleName], Field(min_length=1, max_length=16)] = Field(
        default=["Validator", "Admin"]
    )
    seed: Annotated[list[RoleName], Field(max_length=16)] = Field(default=["Operator"])


class StorageSpec(Model):
    """Where annotations are filed: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have either a persistentVolumeClaim or an s3": (
                    "has(self.persistentVolumeClaim) != has(self.s3)"
                )
            }
        )
    )

    persistent_volume_claim: ClaimSource | None = None
    s3: RouteS3 | None = None


class RouteS3(S3Folder):
    """A folder in a bucket. Its credential may list, read, write and delete there."""

    credentials_secret_ref: LocalObjectReference = Field(
        description="Has annotations-access-key-id and annotations-secret-access-key."
    )
    read_secret_ref: LocalObjectReference = Field(
        description="Has dataset-access-key-id and dataset-secret-access-key, of a credential that "
        "may list and read: for runs that train on the route."
    )


class PicturesSpec(Model):
    """Where pictures may lie that messages name by an address."""

    s3: S3Folder = Field(
        description="Its Secret has pictures-access-key-id and pictures-secret-access-key. "
        "An address outside of it is refused."
    )


class AnnotationRouteSpec(Model):
    """What is taken, from whom it is believed, and where it goes."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [immutable("storage"), immutable("validationPercent")]
        }
    )

    source: SourceSpec
    identity: IdentitySpec
    roles: RolesSpec = Field(default_factory=RolesSpec)
    storage: StorageSpec
    pictures: PicturesSpec | None = None
    classes: Annotated[
        list[ClassName], Field(min_length=1, max_length=1000, json_schema_extra=APPEND_ONLY)
    ] = Field(description="In the order in which labels count them.")
    validation_percent: Annotated[int, Field(ge=1, le=90)] = Field(
        default=20, description="Of the items, about; by id, so that it stays the same set."
    )
    max_picture_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 64 << 20
    index_size: Quantity = Field(
        default="2Gi",
        description="What the router's index of all items, deleted ones too, may have of its node: "
        "about 0.6 KB for an item of 5 boxes, 5 KB for one of 50. A router that needs more is "
        "evicted.",
    )
    suspend: bool = Field(default=False, description="Stops the router; it goes on where it was.")


FilingProblem = Literal[
    "BrokerUnavailable", "StoreUnavailable", "PicturesUnavailable", "MessagesLost", "StorageFull"
]


class FilingFigures(Model):
    """How far a router is."""

    offset: Annotated[int, Field(ge=0)] = Field(description="Filed is everything before it.")
    lag: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Messages behind the end of the stream; None while not known."
    )
    validated: Annotated[int, Field(ge=0)] = Field(description="Items that are in validated/ now.")
    seed: Annotated[int, Field(ge=0)] = Field(description="Items that are in seed/ now.")
    rejected: Annotated[int, Field(ge=0)] = Field(description="Messages that were ever refused.")
    unproven: Annotated[int, Field(ge=0)] = Field(
        description="Messages ever whose role was not proven."
    )
    lost: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Messages ever that the broker had deleted before they were filed."
    )
    problem: FilingProblem | None = None
    message: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="One line on the problem."
    )


class Filing(FilingFigures):
    """What the router reported last. Written by the progress endpoint alone."""

    updated_at: Timestamp


class AnnotationRouteStatus(Model):
    """What is, as far as the operator has seen."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    filing: Filing | None = None
    summary: dict[str, Annotated[str, StringConstraints(max_length=128)]] | None = None


class AnnotationRoute(CustomResource):
    """Takes annotations from a stream and files them by the role of who made them."""

    KIND: ClassVar[str] = "AnnotationRoute"
    PLURAL: ClassVar[str] = "annotationroutes"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("aroute",)
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        PrinterColumn("Validated", ".status.filing.validated", type="integer"),
        PrinterColumn("Seed", ".status.filing.seed", type="integer"),
        PrinterColumn("Rejected", ".status.filing.rejected", type="integer"),
        PrinterColumn("Lag", ".status.summary.lag"),
        PrinterColumn("Offset", ".status.filing.offset", type="integer", wide=True),
        PrinterColumn("Unproven", ".status.filing.unproven", type="integer", wide=True),
        PrinterColumn("Age", ".metadata.creationTimestamp", type="date"),
        ready_message(),
    )

    spec: AnnotationRouteSpec
    status: AnnotationRouteStatus = Field(default_factory=AnnotationRouteStatus)
