"""The base of every model that is read from or written to YAML and JSON."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""Models, variants and channels: these names become part of URLs and file names."""

SEMVER_PATTERN = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?$"
)
"""semver.org's grammar without build metadata, which would not be part of precedence."""

PATTERN_MESSAGE = "x-sealyard-pattern-message"
"""Beside a pattern: what the API server says instead of the regular expression (`crd.py`)."""


def says(message: str) -> Any:
    """The message for a value that breaks the pattern beside it."""
    return Field(json_schema_extra={PATTERN_MESSAGE: message})


Name = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=63),
    says("must be lower-case letters, digits and dashes, and begin and end with no dash"),
]
ObjectName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253),
    says("must be the name of an object: lower-case letters, digits, dashes and dots"),
]
SemVer = Annotated[
    str,
    StringConstraints(pattern=SEMVER_PATTERN, max_length=64),
    says("must be a semantic version without build metadata: 1.2.3, or 1.2.3-rc.1"),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
RelativePath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=512
    ),
    says("must be a path like folder/file: no leading slash, no part that begins with a dot"),
]
"""A path below a mount: no leading slash, no `..`, nothing that begins with a dot or a dash."""

HttpsUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?$", max_length=512
    ),
    says("must be https://host[:port][/path], without user information and query"),
]
"""https only; user information and queries are refused, because that is where secrets hide."""

Timestamp = Annotated[
    str, StringConstraints(max_length=40), Field(json_schema_extra={"format": "date-time"})
]
"""RFC 3339 in UTC with Z, whole seconds."""

EndTime = Annotated[
    str,
    StringConstraints(max_length=40),
    Field(
        json_schema_extra={
            # Without `format`: to the rule that has the message such a text would be no string.
            "pattern": r"^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
            PATTERN_MESSAGE: "must be a time in UTC with Z, in whole seconds: 2030-01-31T12:00:00Z",
        }
    ),
]
"""A Timestamp that a user writes. The API server alone is strict: what it let in earlier is still
read, and what of that is no time has passed (`core.times.end_time`)."""

Quantity = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=24),
    says('must be a quantity in quotes: "500m", "2" or "4Gi"'),
]
"""A Kubernetes resource quantity, as a string ("500m", "4Gi")."""


class Model(BaseModel):
    """camelCase outside, snake_case inside, frozen; unknown fields are ignored.

    Unknown fields are the API server's business (it prunes or refuses them), and a reader one
    version older must not choke on a newer writer.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        # A program uses a few of all models; building each when it is defined took a third of the
        # time in which one starts.
        defer_build=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """The camelCase dictionary that goes into YAML or JSON, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_wire(cls, document: dict[str, Any]) -> Self:
        """The model of a camelCase dictionary.

        Raises:
            pydantic.ValidationError: a field is missing or breaks its rule.
        """
        return cls.model_validate(document)


class LocalObjectReference(Model):
    """Another object in the same namespace, by name."""

    name: ObjectName
