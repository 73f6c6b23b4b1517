"""The contract: what may be requested of releases, accounts and the server itself.

Those of devices, grants and the index stand in their folders; `openapi` has them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sealyard.api.device_api import LEGACY_SMALL_MAX_BYTES
from sealyard.api.release_api import (
    LOGIN_PATH,
    MANIFEST_CONTENT_TYPE,
    RELEASES_PATH,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    SMALL_MIN_BYTES,
    USERS_PATH,
    LoginRequest,
    LoginResponse,
    Reason,
    ReleasePage,
    Stored,
    UserEntry,
    UserPage,
    UserState,
    manifest_path,
    small_path,
    user_state_path,
)
from sealyard_release_api.roles import Action

HEALTH_PATH = "/healthz"
READY_PATH = "/readyz"
OPENAPI_PATH = "/openapi.json"

JSON = "application/json"
_SMALL_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "format": "binary",
    "minLength": SMALL_MIN_BYTES,
    "maxLength": SMALL_MAX_BYTES,
}
_SMALL_AS_READ: Mapping[str, Any] = {**_SMALL_SCHEMA, "maxLength": LEGACY_SMALL_MAX_BYTES}
"""A legacy device gets it under a key of its own."""
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
TOKEN_REASONS = (Reason.TOKEN_REFUSED, Reason.FORBIDDEN)
BODY_REASONS = (Reason.TOO_SLOW, Reason.TOO_LARGE, Reason.WRONG_CONTENT_TYPE)


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of the contract.

    Attributes:
        action: who may, and the audit line's event; None is for everybody and not in the trail.
        body: content type and schema (or the model of it) of what is sent.
        answer: the same of what comes back.
        statuses: of a request that was done.
        reasons: why it may be refused, beside what holds for all.
        parameters: names of the query parameters and `If-Match`, keys of `_PARAMETERS`.
    """

    method: str
    path: str
    summary: str
    action: Action | None
    answer: tuple[str, type[BaseModel] | Mapping[str, Any]]
    body: tuple[str, type[BaseModel] | Mapping[str, Any]] | None = None
    statuses: Sequence[int] = (200,)
    reasons: Sequence[Reason] = ()
    parameters: Sequence[str] = ()


_SMALL = small_path("{model}", "{version}", "{variant}")
_MANIFEST = manifest_path("{model}", "{version}")

RELEASE_OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        LOGIN_PATH,
        "Get a token for an email and a password",
        Action.LOGIN,
        (JSON, LoginResponse),
        body=(JSON, LoginRequest),
        reasons=(Reason.LOGIN_REFUSED, Reason.TOO_MANY_REQUESTS, *BODY_REASONS),
    ),
    Operation(
        "PUT",
        _SMALL,
        "Store a variant's small part",
        Action.PUT_SMALL,
        (JSON, Stored),
        body=(SMALL_CONTENT_TYPE, _SMALL_SCHEMA),
        statuses=(200, 201),
        reasons=(
            *TOKEN_REASONS,
            Reason.INVALID_NAME,
            Reason.INVALID_SMALL_PART,
            Reason.SMALL_PART_FIXED,
            Reason.PRECONDITION_FAILED,
            *BODY_REASONS,
        ),
        parameters=("If-Match",),
    ),
    Operation(
        "GET",
        _SMALL,
        "Read a variant's small part",
        Action.GET_SMALL,
        (SMALL_CONTENT_TYPE, _SMALL_AS_READ),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
    ),
    Operation(
        "PUT",
        _MANIFEST,
        "Store the manifest, which releases the version",
        Action.PUT_MANIFEST,
        (JSON, Stored),
        body=(MANIFEST_CONTENT_TYPE, ANY_OBJECT),
        statuses=(200, 201),
        reasons=(
            *TOKEN_REASONS,
            Reason.INVALID_NAME,
            Reason.INVALID_MANIFEST,
            Reason.SMALL_PART_MISSING,
            Reason.SMALL_PART_DIFFERS,
            Reason.MANIFEST_EXISTS,
            *BODY_REASONS,
        ),
    ),
    Operation(
        "GET",
        _MANIFEST,
        "Read the manifest",
        Action.GET_MANIFEST,
        (MANIFEST_CONTENT_TYPE, ANY_OBJECT),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
    ),
    Operation(
        "GET",
        RELEASES_PATH,
        "List the releases of the account's models",
        Action.LIST,
        (JSON, ReleasePage),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
        parameters=("after-release", "limit"),
    ),
    Operation(
        "GET",
        USERS_PATH,
        "List the accounts",
        Action.LIST_USERS,
        (JSON, UserPage),
        reasons=TOKEN_REASONS,
        parameters=("after-user", "limit"),
    ),
    Operation(
        "PUT",
        user_state_path("{email}"),
        "Disable an account, which ends its tokens, or enable it",
        Action.SET_USER_STATE,
        (JSON, UserEntry),
        body=(JSON, UserState),
        reasons=(*TOKEN_REASONS, *BODY_REASONS),
    ),
)

SERVER_OPERATIONS: Sequence[Operation] = (
    Operation("GET", HEALTH_PATH, "Whether the process answers", None, (JSON, ANY_OBJECT)),
    Operation("GET", READY_PATH, "Whether the database answers", None, (JSON, ANY_OBJECT)),
    Operation("GET", OPENAPI_PATH, "This document", None, (JSON, ANY_OBJECT)),
)
