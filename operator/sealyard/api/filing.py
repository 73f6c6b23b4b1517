"""What a router is told (`RouteTask`), and what it reports (`POST <url>/v1/filing`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sealyard.api.annotation_route import FilingFigures, IdentitySpec, RolesSpec
from sealyard.api.model import Model, RelativePath
from sealyard.api.tasks import Owner, ProgressEndpoint, RemoteFolder, Task

FILING_PATH = "/v1/filing"
MAX_FILING_BYTES = 4096


class RemoteStream(Model):
    """A stream, as the router reaches it."""

    host: str
    port: int
    virtual_host: str
    stream: str
    secret_name: str = Field(description="Named in messages only; its keys are mounted.")
    ca_bundle_name: str | None = None


class RouteTask(Task):
    """File what comes, for as long as the process lives. It has no attempts but the first."""

    kind: Literal["route"] = "route"
    source: RemoteStream
    identity: IdentitySpec
    roles: RolesSpec
    key_set_secret_name: str | None = None
    storage: RemoteFolder | None = Field(
        default=None, description="None where it is the claim that is mounted at /annotations."
    )
    storage_path: RelativePath | None = Field(
        default=None, description="Below /annotations; its root where none is given."
    )
    pictures: RemoteFolder | None = None
    classes: list[str]
    validation_percent: int
    max_picture_bytes: int
    progress: ProgressEndpoint | None = Field(
        default=None, description="Where it reports; the token is the same as a trainer's."
    )


class FilingReport(FilingFigures):
    """Sent when something changed, at most every few seconds, and each minute if nothing did."""

    route: Owner
