"""The rules of slots, as pure functions: facts in, bytes or a refusal out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from sealyard.api.device_api import GrantedSlot
from sealyard.api.release_api import Reason
from sealyard.sealing.header import CORE_BYTES, EMPTY_SLOT, HEADER_BYTES, MAGIC, SLOT_BYTES
from sealyard_release_api.devices.entries import Rights
from sealyard_release_api.releases import Small
from sealyard_release_api.wire import Refusal

_BLOCK_BYTES = 16
_IV_BYTES = 16
_HMAC_BYTES = 32


def small_for_device(small: bytes, sealed: bytes) -> bytes:
    """The small part as one device gets it.

    Of sealed-v2 its core, the device's slot and an empty one, so that no key of the cluster's
    stands in it; of aes-256-cbc-v1 what was made for the device.
    """
    if _is_sealed_v2(small):
        return small[:CORE_BYTES] + sealed + EMPTY_SLOT
    return sealed


def check_small(small: bytes | None, sha256: str) -> bytes:
    """The small part that slots were made for.

    Raises:
        Refusal: `SmallPartMissing` or `SmallPartDiffers`.
    """
    if small is None:
        raise Refusal(Reason.SMALL_PART_MISSING, "put the small part before its slots")
    facts = Small.of(small)
    there = facts.core_sha256 if _is_sealed_v2(small) else facts.sha256
    if there != sha256:
        raise Refusal(
            Reason.SMALL_PART_DIFFERS, f"the slots are for {sha256}, the small part is {there}"
        )
    return small


def check_slots(slots: Sequence[GrantedSlot], small: bytes) -> dict[str, bytes]:
    """The bytes of slots by device, each of the form that this small part's have.

    Raises:
        Refusal: `InvalidGrant`, naming the first that is not.
    """
    checked: dict[str, bytes] = {}
    for slot in slots:
        if slot.device_id in checked:
            raise _invalid(slot, "stands in the batch twice")
        try:
            sealed = base64.b64decode(slot.sealed, validate=True)
        except binascii.Error:
            raise _invalid(slot, "must be in base64") from None
        wanted = _slot_bytes(small)
        if len(sealed) != wanted:
            raise _invalid(slot, f"{len(sealed)} bytes, must be {wanted}")
        if _is_sealed_v2(small) and not sealed.startswith(bytes.fromhex(slot.device_id)):
            raise _invalid(slot, "must begin with the device's id")
        checked[slot.device_id] = sealed
    return checked


def check_devices(device_ids: Sequence[str], rights: Mapping[str, Rights], model: str) -> None:
    """Whether all of these devices may have slots of a model.

    Args:
        device_ids: whose slots.
        rights: of those of them that are registered.
        model: of the slots.

    Raises:
        Refusal: `UnknownDevice`, naming the first that may not.
    """
    for device_id in device_ids:
        device = rights.get(device_id)
        if device is None:
            why = "is not registered"
        elif device.suspended:
            why = "is suspended"
        elif model not in device.models:
            why = f"is not for model {model!r}"
        else:
            continue
        raise Refusal(Reason.UNKNOWN_DEVICE, f"device {device_id} {why}")


def _is_sealed_v2(small: bytes) -> bool:
    return len(small) == HEADER_BYTES and small.startswith(MAGIC)


def _slot_bytes(small: bytes) -> int:
    if _is_sealed_v2(small):
        return SLOT_BYTES
    # Padding is of 1 to 16 bytes.
    padded = (len(small) // _BLOCK_BYTES + 1) * _BLOCK_BYTES
    return _IV_BYTES + padded + _HMAC_BYTES


def _invalid(slot: GrantedSlot, why: str) -> Refusal:
    return Refusal(Reason.INVALID_GRANT, f"the slot of device {slot.device_id}: {why}")
