"""Which devices of an input can be granted anything."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.grants import AuthorisedDevice
from sealyard.delivery.recipients import Recipient
from sealyard.errors import InvalidError
from support.devices import Device, b64

DEVICE = Device()


def authorised(**changes: Any) -> AuthorisedDevice:
    fields = {**DEVICE.entry("coins").model_dump(), "level": "tpm2", **changes}
    return AuthorisedDevice.model_validate(fields)


def test_a_device_whose_keys_make_its_id() -> None:
    found = Recipient.of(authorised(not_after="2030-01-31T12:00:00Z"))
    assert found.device_id == DEVICE.id
    assert found.encryption_key == DEVICE.encryption.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device_id": "0" * 32}, "its keys make the id"),
        ({"encryption_key": b64(bytes(32))}, "its keys make the id"),
        ({"signing_key": b64(bytes(32))}, "its keys make the id"),
        ({"not_after": "tomorrow"}, "notAfter must be a time as"),
        ({"not_after": "2030-01-31"}, "notAfter must be a time as"),
        ({"not_after": "2030-01-31T12:00:00+00:00"}, "notAfter must be a time as"),
    ],
)
def test_a_device_that_the_api_would_refuse(changes: dict[str, Any], said: str) -> None:
    device = authorised(**changes)
    with pytest.raises(InvalidError, match=f"^device {device.device_id}: {said}"):
        Recipient.of(device)
