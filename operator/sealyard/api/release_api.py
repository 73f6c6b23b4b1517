"""What the release API and its clients say to each other (contracts.md section 6).

Only what both sides need: paths, bounds, bodies and the reasons of errors. The bytes that are kept
(small parts and manifests) belong to `sealyard.sealing`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from sealyard.api.model import Model, Name, SemVer, Sha256, Timestamp

SMALL_MIN_BYTES = 320
SMALL_MAX_BYTES = 3072
SMALL_CONTENT_TYPE = "application/octet-stream"
MANIFEST_MAX_BYTES = 256 * 1024
MANIFEST_CONTENT_TYPE = "application/json"
LOGIN_MAX_BYTES = 4096
TOKEN_MAX_CHARS = 8192
"""A token names up to 64 models of 63 characters."""
ANNOTATIONS_AUDIENCE = "sealyard-annotations"
"""Of tokens that stand in annotations: the API refuses them itself."""
PAGE_MAX = 500
"""The most entries that one page of `GET /releases` or `GET /users` holds."""
USER_STATE_MAX_BYTES = 256

LOGIN_PATH = "/login"
RELEASES_PATH = "/releases"
USERS_PATH = "/users"


def manifest_path(model: str, version: str) -> str:
    """The path of a release's manifest."""
    return f"{RELEASES_PATH}/{model}/{version}/manifest"


def small_path(model: str, version: str, variant: str) -> str:
    """The path of a variant's small part."""
    return f"{RELEASES_PATH}/{model}/{version}/variants/{variant}/small"


def user_state_path(email: str) -> str:
    """The path of an account's state; the email is percent-encoded by the caller."""
    return f"{USERS_PATH}/{email}/state"


def etag(sha256: str) -> str:
    """The strong entity tag of bytes with this digest, quotes included."""
    return f'"{sha256}"'


class Reason(StrEnum):
    """Why a request was refused: `error` in the body. The status code is the one in the comment."""

    INVALID_REQUEST = "InvalidRequest"  # 400: the body or a parameter breaks a rule
    INVALID_NAME = "InvalidName"  # 400: a name, version or device's id in the path
    INVALID_SMALL_PART = "InvalidSmallPart"  # 400
    INVALID_MANIFEST = "InvalidManifest"  # 400
    INVALID_DEVICE = "InvalidDevice"  # 400: its id is not of its keys, or a field is wrong
    INVALID_GRANT = "InvalidGrant"  # 400: a slot is not of its device, or of no such size
    INVALID_METADATA = "InvalidMetadata"  # 400: not what its name in the index says
    LOGIN_REFUSED = "LoginRefused"  # 401: email, password or signature, it does not say which
    NONCE_REFUSED = "NonceRefused"  # 401: it was used, has expired, or is none; ask for another
    TOKEN_REFUSED = "TokenRefused"  # 401: log in again  # noqa: S105 - a reason, not a token
    FORBIDDEN = "Forbidden"  # 403: the role or its models do not allow it
    NOT_FOUND = "NotFound"  # 404
    NOT_GRANTED = "NotGranted"  # 404: the device has no slot of this small part
    METHOD_NOT_ALLOWED = "MethodNotAllowed"  # 405
    TOO_SLOW = "TooSlow"  # 408: the body did not arrive in time
    SMALL_PART_FIXED = "SmallPartFixed"  # 409: the manifest exists, and so what it promises stands
    SMALL_PART_MISSING = "SmallPartMissing"  # 409: the manifest names one that is not there
    SMALL_PART_DIFFERS = "SmallPartDiffers"  # 409: the manifest promises other bytes
    MANIFEST_EXISTS = "ManifestExists"  # 409: with other bytes
    UNKNOWN_DEVICE = "UnknownDevice"  # 409: not there, suspended, or not for this model
    TUF_EXISTS = "TufExists"  # 409: with other bytes, and it never changes
    TUF_VERSION = "TufVersion"  # 409: it is not the next one of what is there
    PRECONDITION_FAILED = "PreconditionFailed"  # 412: If-Match names other bytes
    TOO_LARGE = "TooLarge"  # 413
    WRONG_CONTENT_TYPE = "WrongContentType"  # 415
    TOO_MANY_REQUESTS = "TooManyRequests"  # 429, with Retry-After in seconds
    INTERNAL = "Internal"  # 500
    UNAVAILABLE = "Unavailable"  # 503, with Retry-After in seconds


class WireModel(Model):
    """A body on the wire. What breaks a rule is never repeated in the error: it may be a secret."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


class LoginRequest(WireModel):
    """`POST /login`."""

    email: Annotated[str, StringConstraints(min_length=3, max_length=254)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024), Field(repr=False)]
    audience: Literal["sealyard-annotations"] | None = Field(
        default=None,
        description="For a token that proves to an annotation route who annotated, and opens "
        "nothing here: Validator, Operator and Admin get one.",
    )


class LoginResponse(WireModel):
    """A bearer token, good until `expires_at` unless the account changes first."""

    token: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=TOKEN_MAX_CHARS
        ),
        Field(repr=False),
    ]
    expires_at: Timestamp


class ErrorBody(WireModel):
    """The body of every refusal. `error` may be a reason that this version does not know yet."""

    error: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,64}$")]
    message: Annotated[str, StringConstraints(max_length=2048)]


class Stored(WireModel):
    """The answer to a PUT: what lies there now."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class ReleaseEntry(WireModel):
    """A release whose manifest is there."""

    model: Name
    version: SemVer
    manifest_sha256: Sha256


class ReleasePage(WireModel):
    """`GET /releases`, in the order of model and version as text.

    `next` is the `after` of the next page; it is not set on the last one.
    """

    releases: Annotated[list[ReleaseEntry], Field(max_length=PAGE_MAX)]
    next: Annotated[str, StringConstraints(max_length=200)] | None = None


class UserEntry(WireModel):
    """An account, without anything that is secret.

    `origin` says where it is kept, and so where it is changed: `secret` or `database`.
    """

    email: Annotated[str, StringConstraints(max_length=254)]
    role: Annotated[str, StringConstraints(max_length=16)]
    models: Annotated[list[str], Field(max_length=64)]
    origin: Literal["secret", "database"]
    disabled: bool


class UserPage(WireModel):
    """`GET /users`, in the order of the emails as text; `next` as in `ReleasePage`."""

    users: Annotated[list[UserEntry], Field(max_length=PAGE_MAX)]
    next: Annotated[str, StringConstraints(max_length=254)] | None = None


class UserState(WireModel):
    """`PUT` of an account's state: whether it may log in."""

    disabled: bool
