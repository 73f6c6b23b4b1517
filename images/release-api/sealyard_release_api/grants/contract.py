"""The contract: what may be requested of grants."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.api.device_api import (
    DROPPED_GRANTS_PATH,
    GRANTED_VARIANTS_PATH,
    GRANTS_DIGEST_PATH,
    GRANTS_PATH,
    Changed,
    DroppedGrants,
    GrantBatch,
    GrantDigest,
    GrantedVariantPage,
    GrantPage,
)
from sealyard.api.release_api import Reason
from sealyard_release_api.contract import BODY_REASONS, JSON, TOKEN_REASONS, Operation
from sealyard_release_api.roles import Action

_VARIANT = ("model", "version", "variant")

GRANT_OPERATIONS: Sequence[Operation] = (
    Operation(
        "PUT",
        GRANTS_PATH,
        "Grant a variant to devices",
        Action.PUT_GRANTS,
        (JSON, Changed),
        body=(JSON, GrantBatch),
        reasons=(
            *TOKEN_REASONS,
            Reason.INVALID_GRANT,
            Reason.SMALL_PART_MISSING,
            Reason.SMALL_PART_DIFFERS,
            Reason.UNKNOWN_DEVICE,
            *BODY_REASONS,
        ),
    ),
    Operation(
        "GET",
        GRANTS_PATH,
        "List the devices that hold a slot of a variant",
        Action.LIST_GRANTS,
        (JSON, GrantPage),
        reasons=TOKEN_REASONS,
        parameters=(*_VARIANT, "after-device", "limit-grants"),
    ),
    Operation(
        "GET",
        GRANTS_DIGEST_PATH,
        "Compare which devices hold a slot of a variant",
        Action.GRANTS_DIGEST,
        (JSON, GrantDigest),
        reasons=TOKEN_REASONS,
        parameters=_VARIANT,
    ),
    Operation(
        "GET",
        GRANTED_VARIANTS_PATH,
        "List the variants of the account's models of which some device holds a slot",
        Action.GRANTED_VARIANTS,
        (JSON, GrantedVariantPage),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
        parameters=("after-variant", "limit"),
    ),
    Operation(
        "PUT",
        DROPPED_GRANTS_PATH,
        "Take the slots of a variant from devices",
        Action.DROP_GRANTS,
        (JSON, Changed),
        body=(JSON, DroppedGrants),
        reasons=(*TOKEN_REASONS, *BODY_REASONS),
    ),
)
