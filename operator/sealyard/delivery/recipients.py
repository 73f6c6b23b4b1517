"""Those who are granted something, and the slots that are made for them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from sealyard.api.device_api import GrantedSlot
from sealyard.api.grants import AuthorisedDevice
from sealyard.core.times import format_time, parse_time
from sealyard.errors import InvalidError
from sealyard.sealing.header import Core
from sealyard.sealing.slots import device_recipient, wrap_for_device


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device whose keys make its id.

    Attributes:
        device_id: hex.
        encryption_key: raw X25519.
        signing_key: raw Ed25519.
    """

    device_id: str
    encryption_key: bytes
    signing_key: bytes

    @classmethod
    def of(cls, device: AuthorisedDevice) -> Recipient:
        """The device of an input.

        Raises:
            InvalidError: its keys make another id, or its time is none.
        """
        where = f"device {device.device_id}"
        try:
            keys = [
                base64.b64decode(key, validate=True)
                for key in (device.encryption_key, device.signing_key)
            ]
        except binascii.Error:
            raise InvalidError(f"{where}: its keys must be in base64") from None
        made = device_recipient(*keys).hex()
        if made != device.device_id:
            raise InvalidError(f"{where}: its keys make the id {made}; print its YAML anew")
        end = parse_time(device.not_after)
        if device.not_after is not None and (end is None or format_time(end) != device.not_after):
            raise InvalidError(f"{where}: notAfter must be a time as 2030-01-31T12:00:00Z")
        return cls(made, *keys)


def slots_for(
    core: Core, data_key: bytes, recipients: Sequence[Recipient]
) -> tuple[list[GrantedSlot], dict[str, InvalidError]]:
    """A slot for each device, and those for whose keys nothing can be wrapped."""
    slots: list[GrantedSlot] = []
    refused: dict[str, InvalidError] = {}
    for one in recipients:
        try:
            slot = wrap_for_device(core, data_key, one.encryption_key, one.signing_key)
        except InvalidError as error:
            refused[one.device_id] = error
        else:
            sealed = base64.b64encode(slot.encode()).decode()
            slots.append(GrantedSlot.model_construct(device_id=one.device_id, sealed=sealed))
    return slots, refused
