"""AnnotationRoute: take annotations from this stream and file them by the role of who made them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.dataset import ClaimSource
from sealyard.api.kind import immutable, rules
from sealyard.api.model import LocalObjectReference, Model, says
from sealyard.api.s3 import S3Folder

RoleName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", max_length=64)
]
StreamName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=255),
    says("must be the name of a stream: letters, digits and . _ : / -"),
]


class RabbitmqStream(Model):
    """A stream of RabbitMQ, reached over TLS, which is always verified."""

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
    """The user id that the broker has validated. Only what was published through an exchange has
    one: a user who may write to the stream itself can put any name there."""

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
        list[Annotated[str, StringConstraints(min_length=1, max_length=64)]],
        Field(min_length=1, max_length=1000),
    ] = Field(description="In the order in which labels count them. More may be added at the end.")
    validation_percent: Annotated[int, Field(ge=1, le=90)] = Field(
        default=20, description="Of the items, about; by id, so that it stays the same set."
    )
    max_picture_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 64 << 20
    suspend: bool = Field(default=False, description="Stops the router; it goes on where it was.")
