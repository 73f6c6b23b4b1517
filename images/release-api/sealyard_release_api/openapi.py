"""The contract as OpenAPI 3.1, made from the same types and bounds that the routes use.

Written down here rather than derived from the endpoints: they read bodies by themselves, because
none may be read before its sender is admitted, or for longer than it is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from sealyard.api.device_api import BATCH_MAX, GRANT_PAGE_MAX, DeviceId
from sealyard.api.model import Name, SemVer
from sealyard.api.release_api import PAGE_MAX, ErrorBody, Reason
from sealyard_release_api.contract import (
    JSON,
    RELEASE_OPERATIONS,
    SERVER_OPERATIONS,
    Operation,
)
from sealyard_release_api.devices.contract import DEVICE_OPERATIONS
from sealyard_release_api.grants.contract import GRANT_OPERATIONS
from sealyard_release_api.roles import ALLOWED, WITHOUT_TOKEN
from sealyard_release_api.tuf.contract import TUF_OPERATIONS
from sealyard_release_api.tuf.files import CHANNELS, METADATA_PATTERN, TARGET_PATTERN
from sealyard_release_api.wire import STATUS_OF

OPERATIONS: Sequence[Operation] = (
    *RELEASE_OPERATIONS,
    *DEVICE_OPERATIONS,
    *GRANT_OPERATIONS,
    *TUF_OPERATIONS,
    *SERVER_OPERATIONS,
)

_ALWAYS = (Reason.INVALID_REQUEST, Reason.INTERNAL, Reason.UNAVAILABLE)
_PATH_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "model": TypeAdapter(Name).json_schema(),
    "version": TypeAdapter(SemVer).json_schema(),
    "variant": TypeAdapter(Name).json_schema(),
    "email": {"type": "string", "maxLength": 254},
    "device": TypeAdapter(DeviceId).json_schema(),
    "file": {"type": "string", "pattern": METADATA_PATTERN},
    "folder": {"anyOf": [{"const": CHANNELS}, TypeAdapter(SemVer).json_schema()]},
    "target": {"type": "string", "pattern": TARGET_PATTERN},
}

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
    "after-device": {
        "name": "after",
        "in": "query",
        "description": "Begin behind this device",
        "schema": TypeAdapter(DeviceId).json_schema(),
    },
    "after-variant": {
        "name": "after",
        "in": "query",
        "description": "Begin behind this `model/version/variant`",
        "schema": {"type": "string", "minLength": 1, "maxLength": 254},
    },
    "limit-grants": {
        "name": "limit",
        "in": "query",
        "description": "At most so many devices",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": GRANT_PAGE_MAX,
            "default": BATCH_MAX,
        },
    },
    **{
        name: {
            "name": name,
            "in": "query",
            "required": True,
            "schema": _PATH_SCHEMAS[name],
        }
        for name in ("model", "version", "variant")
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
    named = [name for name in _PATH_SCHEMAS if f"{{{name}}}" in path]
    if not named:
        return {}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
            for name in named
        ]
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.action or operation.path.strip("/").replace(".json", ""),
        "responses": _responses(operation),
    }
    if operation.action is not None and operation.action not in WITHOUT_TOKEN:
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
            "content": _content(JSON, ErrorBody),
        }
    return responses


def _content(content_type: str, shape: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    schema = (
        {"$ref": f"#/components/schemas/{shape.__name__}"} if isinstance(shape, type) else shape
    )
    return {content_type: {"schema": schema}}
