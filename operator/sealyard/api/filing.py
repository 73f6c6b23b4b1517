"""What a router is told (`RouteTask`), and what it reports (`POST <url>/v1/filing`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sealyard.api.annotation_route import IdentitySpec, RolesSpec
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
    max_picture_bytes: int
    progress: ProgressEndpoint | None = Field(
        default=None, description="Where it reports; the token is the same as a trainer's."
    )


FilingProblem = Literal[
    "BrokerUnavailable", "StoreUnavailable", "PicturesUnavailable", "MessagesLost", "StorageFull"
]


class FilingReport(Model):
    """How far a router is; sent when something changed, at most every few seconds, and each minute
    if nothing did."""

    route: Owner
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
