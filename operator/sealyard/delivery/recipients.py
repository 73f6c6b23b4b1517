"""Those who are granted something, and the slots that are made for them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealyard.api.device_api import GrantedSlot
from sealyard.api.grants import AuthorisedDevice
from sealyard.core.times import format_time, parse_time
from sealyard.delivery.hardware_digests import HardwareDigests
from sealyard.errors import InvalidError, MissingError, SealyardError
from sealyard.sealing.header import Core
from sealyard.sealing.legacy import seal_small_for_legacy
from sealyard.sealing.slots import device_recipient, wrap_for_device


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device whose keys make its id.

    Attributes:
        device_id: hex.
        encryption_key: raw X25519.
        signing_key: raw Ed25519.
        is_legacy: it opens aes-256-cbc-v1, and nothing else; all others sealed-v2.
        digest_secret: of a legacy one: the Secret with its hardware's digest.
    """

    device_id: str
    encryption_key: bytes
    signing_key: bytes
    is_legacy: bool = False
    digest_secret: str | None = None

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
        encryption, signing = keys
        is_legacy = device.level == "legacy"
        return cls(made, encryption, signing, is_legacy, device.hardware_digest_secret)


Slots = tuple[list[GrantedSlot], dict[str, SealyardError]]
"""A slot for each device, and what is wrong with those that get none, by their ids."""


def slots_for(core: Core, data_key: bytes, recipients: Sequence[Recipient]) -> Slots:
    """Slots of sealed-v2. There is none where nothing can be wrapped for a device's keys."""

    def make(one: Recipient) -> bytes:
        return wrap_for_device(core, data_key, one.encryption_key, one.signing_key).encode()

    return _each(recipients, make)


def legacy_slots_for(
    small: bytes, digests: HardwareDigests, recipients: Sequence[Recipient]
) -> Slots:
    """The small part of aes-256-cbc-v1 for each device whose hardware's digest is there."""

    def make(one: Recipient) -> bytes:
        digest = digests.of(one.digest_secret, one.device_id)
        return seal_small_for_legacy(small, digest, bytes.fromhex(one.device_id))

    return _each(recipients, make)


def _each(recipients: Sequence[Recipient], make: Callable[[Recipient], bytes]) -> Slots:
    slots: list[GrantedSlot] = []
    refused: dict[str, SealyardError] = {}
    for one in recipients:
        try:
            slot = make(one)
        except (InvalidError, MissingError) as error:
            refused[one.device_id] = error
        else:
            sealed = base64.b64encode(slot).decode()
            slots.append(GrantedSlot.model_construct(device_id=one.device_id, sealed=sealed))
    return slots, refused
