"""The contract as OpenAPI 3.1, made from the same types and bounds that the routes use.

Written down here rather than derived from the endpoints: they read bodies by themselves, because
none may be read before its sender is admitted, or for longer than it is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from sealyard.api.model import Name, SemVer
from sealyard.api.release_api import (
    LOGIN_PATH,
    MANIFEST_CONTENT_TYPE,
    PAGE_MAX,
    RELEASES_PATH,
    SMALL_CONTENT_TYPE,
    SMALL_MAX_BYTES,
    SMALL_MIN_BYTES,
    USERS_PATH,
    ErrorBody,
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
from sealyard_release_api.accounts import ALLOWED, Action
from sealyard_release_api.wire import STATUS_OF

HEALTH_PATH = "/healthz"
READY_PATH = "/readyz"
OPENAPI_PATH = "/openapi.json"

_JSON = "application/json"
_SMALL_SCHEMA: Mapping[str, Any] = {
    "type": "string",
    "format": "binary",
    "minLength": SMALL_MIN_BYTES,
    "maxLength": SMALL_MAX_BYTES,
}
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
_TOKEN = (Reason.TOKEN_REFUSED, Reason.FORBIDDEN)
_BODY = (Reason.TOO_SLOW, Reason.TOO_LARGE, Reason.WRONG_CONTENT_TYPE)
_ALWAYS = (Reason.INVALID_REQUEST, Reason.INTERNAL, Reason.UNAVAILABLE)


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

OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        LOGIN_PATH,
        "Get a token for an email and a password",
        Action.LOGIN,
        (_JSON, LoginResponse),
        body=(_JSON, LoginRequest),
        reasons=(Reason.LOGIN_REFUSED, Reason.TOO_MANY_REQUESTS, *_BODY),
    ),
    Operation(
        "PUT",
        _SMALL,
        "Store a variant's small part",
        Action.PUT_SMALL,
        (_JSON, Stored),
        body=(SMALL_CONTENT_TYPE, _SMALL_SCHEMA),
        statuses=(200, 201),
        reasons=(
            *_TOKEN,
            Reason.INVALID_NAME,
            Reason.INVALID_SMALL_PART,
            Reason.SMALL_PART_FIXED,
            Reason.PRECONDITION_FAILED,
            *_BODY,
        ),
        parameters=("If-Match",),
    ),
    Operation(
        "GET",
        _SMALL,
        "Read a variant's small part",
        Action.GET_SMALL,
        (SMALL_CONTENT_TYPE, _SMALL_SCHEMA),
        reasons=(*_TOKEN, Reason.INVALID_NAME),
    ),
    Operation(
        "PUT",
        _MANIFEST,
        "Store the manifest, which releases the version",
        Action.PUT_MANIFEST,
        (_JSON, Stored),
        body=(MANIFEST_CONTENT_TYPE, _ANY_OBJECT),
        statuses=(200, 201),
        reasons=(
            *_TOKEN,
            Reason.INVALID_NAME,
            Reason.INVALID_MANIFEST,
            Reason.SMALL_PART_MISSING,
            Reason.SMALL_PART_DIFFERS,
            Reason.MANIFEST_EXISTS,
            *_BODY,
        ),
    ),
    Operation(
        "GET",
        _MANIFEST,
        "Read the manifest",
        Action.GET_MANIFEST,
        (MANIFEST_CONTENT_TYPE, _ANY_OBJECT),
        reasons=(*_TOKEN, Reason.INVALID_NAME),
    ),
    Operation(
        "GET",
        RELEASES_PATH,
        "List the releases of the account's models",
        Action.LIST,
        (_JSON, ReleasePage),
        reasons=(*_TOKEN, Reason.INVALID_NAME),
        parameters=("after-release", "limit"),
    ),
    Operation(
        "GET",
        USERS_PATH,
        "List the accounts",
        Action.LIST_USERS,
        (_JSON, UserPage),
        reasons=_TOKEN,
        parameters=("after-user", "limit"),
    ),
    Operation(
        "PUT",
        user_state_path("{email}"),
        "Disable an account, which ends its tokens, or enable it",
        Action.SET_USER_STATE,
        (_JSON, UserEntry),
        body=(_JSON, UserState),
        reasons=(*_TOKEN, *_BODY),
    ),
    Operation("GET", HEALTH_PATH, "Whether the process answers", None, (_JSON, _ANY_OBJECT)),
    Operation("GET", READY_PATH, "Whether the database answers", None, (_JSON, _ANY_OBJECT)),
    Operation("GET", OPENAPI_PATH, "This document", None, (_JSON, _ANY_OBJECT)),
)

_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "after-release": {
        "name": "after",
        "in": "query",
        "description": "Begin behind this `model/version`",
        "schema": {"type": "string", "minLength": 1, "maxLength": 254},
    },
    "after-user": {
        "name": "after",
        "in": "query",
        "description": "Begin behind this email",
        "schema": {"type": "string", "minLength": 1, "maxLength": 254},
    },
    "limit": {
        "name": "limit",
        "in": "query",
        "description": "At most so many entries",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what is replaced; needed once the manifest exists",
        "schema": {"type": "string"},
    },
}


def document(version: str) -> dict[str, Any]:
    """The whole document.

    Args:
        version: of this program.
    """
    _, definitions = models_json_schema(
        [(model, "validation") for model in _models()], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(operation.path, _shared(operation.path))
        path[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sealyard release API",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _models() -> Sequence[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {ErrorBody: None}  # in the order of the table
    for operation in OPERATIONS:
        for content in (operation.answer, operation.body):
            if content is not None and isinstance(content[1], type):
                found[content[1]] = None
    return list(found)


def _shared(path: str) -> dict[str, Any]:
    schemas: Mapping[str, Any] = {
        "model": TypeAdapter(Name).json_schema(),
        "version": TypeAdapter(SemVer).json_schema(),
        "variant": TypeAdapter(Name).json_schema(),
        "email": {"type": "string", "maxLength": 254},
    }
    named = [name for name in schemas if f"{{{name}}}" in path]
    if not named:
        return {}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": schemas[name]}
            for name in named
        ]
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.action or operation.path.strip("/").replace(".json", ""),
        "responses": _responses(operation),
    }
    if operation.action is not None and operation.action is not Action.LOGIN:
        described["security"] = [{"token": []}]
        described["x-roles"] = [role for role in ALLOWED if operation.action in ALLOWED[role]]
    if operation.parameters:
        described["parameters"] = [_PARAMETERS[name] for name in operation.parameters]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(*operation.body)}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {"description": "Done", "content": _content(*operation.answer)}
        for status in operation.statuses
    }
    refused: dict[int, list[str]] = {}
    # A name with a slash in it makes the path another one.
    not_found = (Reason.NOT_FOUND,) if "{" in operation.path else ()
    for reason in (*operation.reasons, *not_found, *_ALWAYS):
        refused.setdefault(STATUS_OF[reason], []).append(reason.value)
    for status in sorted(refused):
        responses[str(status)] = {
            "description": ", ".join(refused[status]),
            "content": _content(_JSON, ErrorBody),
        }
    return responses


def _content(content_type: str, shape: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    schema = (
        {"$ref": f"#/components/schemas/{shape.__name__}"} if isinstance(shape, type) else shape
    )
    return {content_type: {"schema": schema}}
