"""The probe of a ReleaseTarget: what is checked, by name, and what its status keeps of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sealyard.api.model import Model, Timestamp

MAX_CHECK_MESSAGE_LENGTH = 180
"""Bytes: all checks at their longest fit into one answer."""
MAX_CHECKS = 24


class Check(StrEnum):
    """What one probe finds out, in the order in which it is shown."""

    API_TLS = "api-tls"
    PUBLISHER_LOGIN = "publisher-login"
    PUBLISHER_ROLE = "publisher-role"
    VERIFIER_LOGIN = "verifier-login"
    VERIFIER_ROLE = "verifier-role"
    CDN_TLS = "cdn-tls"
    WRITE_PUT = "cdn-write-put"
    WRITE_NO_GET = "cdn-write-no-get"
    WRITE_NO_LIST = "cdn-write-no-list"
    WRITE_NO_DELETE = "cdn-write-no-delete"
    READ_GET = "cdn-read-get"
    READ_NO_PUT = "cdn-read-no-put"
    READ_NO_DELETE = "cdn-read-no-delete"


CHECK_MEANINGS = {
    Check.API_TLS: "The release API's certificate verifies.",
    Check.PUBLISHER_LOGIN: "The publisher's login is let in.",
    Check.PUBLISHER_ROLE: "It may write small parts, and may not read them.",
    Check.VERIFIER_LOGIN: "The verifier's login is let in.",
    Check.VERIFIER_ROLE: "It may read small parts, and may not write them.",
    Check.CDN_TLS: "The CDN's certificate verifies.",
    Check.WRITE_PUT: "The write credential can put the probe's object.",
    Check.WRITE_NO_GET: "It cannot get it.",
    Check.WRITE_NO_LIST: "It cannot list what lies below the prefix.",
    Check.WRITE_NO_DELETE: "It cannot delete the probe's object.",
    Check.READ_GET: "The read credential gets what the write credential has put.",
    Check.READ_NO_PUT: "It cannot put the probe's object.",
    Check.READ_NO_DELETE: "It cannot delete it.",
}
"""One line per check, for the reference."""

CheckResult = Literal["Passed", "Failed", "Unknown"]


class CheckOutcome(Model):
    """What one check has found."""

    name: Annotated[str, StringConstraints(max_length=40)]
    result: CheckResult = Field(
        description="Unknown where it could not be judged; the message says why."
    )
    message: Annotated[str, StringConstraints(max_length=MAX_CHECK_MESSAGE_LENGTH)] | None = None


class ProbeCheck(CheckOutcome):
    """One check of the last probe."""

    last_transition_time: Timestamp = Field(description="Since when it has this result.")


class ProbeStatus(Model):
    """The last probe that could judge."""

    generation: Annotated[int, Field(ge=1)] = Field(
        description="The metadata.generation of the spec that was probed."
    )
    completed_at: Timestamp
    failures: Annotated[int, Field(ge=0)] = Field(
        description="How many probes in a row had a check that failed."
    )
    refuses_overwriting: bool | None = Field(
        default=None,
        description="Whether the CDN refuses to overwrite an object where it is asked to "
        "(If-None-Match). Reported, not required.",
    )
    checks: Annotated[list[ProbeCheck], Field(max_length=MAX_CHECKS)] = Field(
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
