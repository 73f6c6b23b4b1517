"""A folder in an S3-compatible store, as a user names it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from sealyard.api.model import HttpsUrl, LocalObjectReference, Model, Quantity, says

Region = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=63),
    says("must be the name of a region: us-east-1"),
]
S3Uri = Annotated[
    str,
    StringConstraints(
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
        r"(/[A-Za-z0-9_][A-Za-z0-9._=-]*)*/?$",
        max_length=512,
    ),
    says("must be s3://bucket/folder, without a part that begins with a dot"),
]


class S3Folder(Model):
    """Objects whose keys begin alike, reached over TLS, which is always verified."""

    uri: S3Uri
    endpoint: HttpsUrl
    region: Region = "us-east-1"
    credentials_secret_ref: LocalObjectReference
    ca_bundle_ref: LocalObjectReference | None = Field(
        default=None, description="A ConfigMap with ca.crt; the system's roots where none is named."
    )

    @property
    def bucket(self) -> str:
        """The bucket in the URI."""
        return self._parts[0]

    @property
    def prefix(self) -> str:
        """What the keys of all its objects begin with: empty, or with a slash at its end."""
        return f"{self._parts[1]}/" if self._parts[1] else ""

    @property
    def _parts(self) -> tuple[str, str]:
        bucket, _, folder = self.uri.removeprefix("s3://").rstrip("/").partition("/")
        return bucket, folder


class S3Workspace(S3Folder):
    """A folder that Sealyard alone writes to, by way of a copy in each pod."""

    cache_size: Quantity = Field(
        default="10Gi",
        description="The size of the pod's own copy, on its node: what is not uploaded yet, and a "
        "dataset from S3 while a run trains on it. A pod that needs more is evicted.",
    )
