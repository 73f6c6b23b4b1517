"""The contract: what may be requested of the signed index."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.api.index import TUF_PATH, TUF_TARGETS_PATH
from sealyard.api.release_api import Reason, Stored
from sealyard_release_api.contract import (
    ANY_OBJECT,
    BODY_REASONS,
    JSON,
    TOKEN_REASONS,
    Operation,
)
from sealyard_release_api.roles import Action

_METADATA = f"{TUF_PATH}/{{file}}"
_TARGET = f"{TUF_TARGETS_PATH}/{{model}}/{{folder}}/{{target}}"

TUF_OPERATIONS: Sequence[Operation] = (
    Operation(
        "PUT",
        _METADATA,
        "Store metadata of the index",
        Action.PUT_METADATA,
        (JSON, Stored),
        body=(JSON, ANY_OBJECT),
        statuses=(200, 201),
        reasons=(
            *TOKEN_REASONS,
            Reason.INVALID_NAME,
            Reason.INVALID_METADATA,
            Reason.TUF_EXISTS,
            Reason.TUF_VERSION,
            *BODY_REASONS,
        ),
    ),
    Operation(
        "GET",
        _METADATA,
        "Read metadata of the index",
        Action.GET_METADATA,
        (JSON, ANY_OBJECT),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
    ),
    Operation(
        "PUT",
        _TARGET,
        "Store a file that the index names",
        Action.PUT_TARGET,
        (JSON, Stored),
        body=(JSON, ANY_OBJECT),
        statuses=(200, 201),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME, Reason.INVALID_METADATA, *BODY_REASONS),
    ),
    Operation(
        "GET",
        _TARGET,
        "Read a file that the index names",
        Action.GET_TARGET,
        (JSON, ANY_OBJECT),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
    ),
)
