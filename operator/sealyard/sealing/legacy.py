"""The small part of aes-256-cbc-v1 as one legacy device gets it, and what such a device opens with.

`IV(16) ‖ AES-256-CBC(PKCS7(small)) ‖ HMAC-SHA256(32)` under keys that follow from the digest of its
hardware, as the old fleet's resource encryption did, and from its id. Unlike the old one's, it is
authenticated.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.header import RECIPIENT_BYTES, Header
from sealyard.sealing.layout import Buffer, BytesReader, Random
from sealyard.sealing.resource import ResourceKeys, open_bytes, seal_bytes
from sealyard.sealing.slots import KEY_BYTES, not_opened

DIGEST_BYTES: Final = 32
_PURPOSE: Final = "legacy-small"


def seal_small_for_legacy(
    small: Buffer,
    hardware_digest: bytes,
    device_id: bytes,
    random: Random = secrets.token_bytes,
) -> bytes:
    """A small part for one device.

    Args:
        small: as it was sealed for everybody.
        hardware_digest: the 32 bytes of the device's hardware digest.
        device_id: its 16 bytes.
        random: gives the IV.
    """
    return seal_bytes(_keys(hardware_digest, device_id), bytes(small), random)


def open_small_for_legacy(sealed: Buffer, hardware_digest: bytes, device_id: bytes) -> bytes:
    """The small part that was sealed for this device, and this hardware.

    Raises:
        IntegrityError: with the uniform message.
    """
    try:
        return open_bytes(_keys(hardware_digest, device_id), BytesReader(bytes(sealed)))
    except IntegrityError:
        raise not_opened() from None


@dataclass(frozen=True, slots=True)
class LegacyKey:
    """Opens on a legacy device; an `OpeningKeys`.

    Attributes:
        fleet_key: the same on each of them.
        hardware_digest: of this machine.
        device_id: its 16 bytes.

    Raises:
        InvalidError: the fleet key has not 32 bytes.
    """

    fleet_key: bytes = field(repr=False)
    hardware_digest: bytes = field(repr=False)
    device_id: bytes

    def __post_init__(self) -> None:
        if len(self.fleet_key) != KEY_BYTES:
            raise InvalidError(f"fleet key: has {len(self.fleet_key)} bytes, must be {KEY_BYTES}")

    def data_key(self, header: Header) -> bytes:  # noqa: ARG002 - whatever the header says
        """None: raises `MissingError`."""
        raise MissingError("a device of level legacy opens aes-256-cbc-v1 only")

    def fleet_keys(self) -> tuple[bytes, ...]:
        """The key."""
        return (self.fleet_key,)

    def opened_small(self, small: Buffer) -> bytes:
        """The small part that was sealed for this device."""
        return open_small_for_legacy(small, self.hardware_digest, self.device_id)


def _keys(hardware_digest: bytes, device_id: bytes) -> ResourceKeys:
    if len(hardware_digest) != DIGEST_BYTES or len(device_id) != RECIPIENT_BYTES:
        raise ValueError("the hardware digest has 32 bytes, the device id 16")
    return ResourceKeys.derive(hardware_digest, _PURPOSE, salt=device_id)
