"""The contract: what may be requested of devices."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.api.device_api import (
    DEVICES_PATH,
    Challenge,
    Changed,
    DeviceBatch,
    DeviceEntry,
    DevicePage,
    Report,
    SeenReport,
    TokenRequest,
    challenge_path,
    device_path,
    device_token_path,
    report_path,
)
from sealyard.api.release_api import LoginResponse, Reason
from sealyard_release_api.contract import BODY_REASONS, JSON, TOKEN_REASONS, Operation
from sealyard_release_api.roles import Action

_DEVICE = "{device}"

DEVICE_OPERATIONS: Sequence[Operation] = (
    Operation(
        "PUT",
        DEVICES_PATH,
        "Register devices, or change what they may have",
        Action.PUT_DEVICES,
        (JSON, Changed),
        body=(JSON, DeviceBatch),
        reasons=(*TOKEN_REASONS, Reason.INVALID_DEVICE, *BODY_REASONS),
    ),
    Operation(
        "GET",
        DEVICES_PATH,
        "List the devices of the account's models, and what they run",
        Action.LIST_DEVICES,
        (JSON, DevicePage),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME),
        parameters=("after-device", "limit"),
    ),
    Operation(
        "PUT",
        device_path(_DEVICE),
        "Register one device, or change what it may have",
        Action.PUT_DEVICE,
        (JSON, Changed),
        body=(JSON, DeviceEntry),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME, Reason.INVALID_DEVICE, *BODY_REASONS),
    ),
    Operation(
        "POST",
        challenge_path(_DEVICE),
        "Get a nonce to sign, as a device",
        Action.CHALLENGE,
        (JSON, Challenge),
        reasons=(Reason.INVALID_NAME,),
    ),
    Operation(
        "POST",
        device_token_path(_DEVICE),
        "Get a token for a signature over the nonce",
        Action.DEVICE_LOGIN,
        (JSON, LoginResponse),
        body=(JSON, TokenRequest),
        reasons=(
            Reason.INVALID_NAME,
            Reason.NONCE_REFUSED,
            Reason.LOGIN_REFUSED,
            Reason.TOO_MANY_REQUESTS,
            *BODY_REASONS,
        ),
    ),
    Operation(
        "PUT",
        report_path(_DEVICE),
        "Say what the device runs",
        Action.PUT_REPORT,
        (JSON, SeenReport),
        body=(JSON, Report),
        reasons=(*TOKEN_REASONS, Reason.INVALID_NAME, *BODY_REASONS),
    ),
)
