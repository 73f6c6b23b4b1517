"""Devices as a grant Job is told of them, for tables without keys that open anything."""

from __future__ import annotations

from typing import Any

from sealyard.api.grants import AuthorisedDevice

_A_KEY = "A" * 43 + "="


def authorised(**changes: Any) -> AuthorisedDevice:
    """A device of the model `coins`, with no release to open."""
    fields = {
        "device_id": "0" * 32,
        "encryption_key": _A_KEY,
        "signing_key": _A_KEY,
        "level": "tpm2",
        "models": ["coins", "notes"],
        **changes,
    }
    return AuthorisedDevice.model_validate(fields)
