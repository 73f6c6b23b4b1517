from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.formats import DeviceKey, FleetKey, ReleaseContext
from sealyard.sealing.header import Header
from sealyard.sealing.slots import NOT_OPENED, wrap_for_device
from support.sealing import KEYRING, V1, V2, Artifact, content, seal, seeded

ARTIFACT = seal(V2, content(5000))
HEADER = Header.parse(ARTIFACT.small)
DATA_KEY = KEYRING.data_key(HEADER)
PRIVATE = X25519PrivateKey.from_private_bytes(seeded("device")(32))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
DEVICE = DeviceKey(PRIVATE, seeded("signing")(32))


def for_device(header: Header = HEADER) -> Header:
    """As the release API hands it out: core, the device's slot, 96 zeros."""
    slot = wrap_for_device(header.core, KEYRING.data_key(header), PUBLIC, DEVICE.signing_key)
    return replace(header, slots=(slot, None))


def test_a_device_opens_what_was_granted_to_it() -> None:
    granted = ARTIFACT.but(small=for_device().encode(), keys=DEVICE)
    assert granted.open() == ARTIFACT.plaintext
    assert granted.small[128:144] == DEVICE.recipient


def test_a_device_without_a_slot_is_told_so() -> None:
    with pytest.raises(MissingError, match=f"no slot for device {DEVICE.recipient.hex()}"):
        DEVICE.data_key(HEADER)


@pytest.mark.parametrize("at", range(16, 96))
def test_a_changed_device_slot_does_not_open(at: int) -> None:
    raw = bytearray(for_device().encode())
    raw[128 + at] ^= 0x80
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        DEVICE.data_key(Header.parse(raw))


@pytest.mark.parametrize("at", range(16, 96))
def test_a_changed_keyring_slot_does_not_open(at: int) -> None:
    raw = bytearray(ARTIFACT.small)
    raw[128 + at] ^= 0x80
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        KEYRING.data_key(Header.parse(raw))


@pytest.mark.parametrize(
    "other",
    [
        seal(V2, content(5000), seed="again"),
        seal(V2, content(5000), context=ReleaseContext("coins", "1.0.1", "onnx-fp32")),
        seal(V2, content(5000), context=ReleaseContext("coins", "1.0.0", "onnx-fp16")),
        seal(V2, content(5001)),
    ],
    ids=["another sealing", "another version", "another variant", "another length"],
)
@pytest.mark.parametrize("device", [False, True])
def test_a_slot_moved_to_another_core_does_not_open(other: Artifact, device: bool) -> None:
    theirs = Header.parse(other.small)
    slots = for_device(theirs).slots if device else theirs.slots
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        (DEVICE if device else KEYRING).data_key(replace(HEADER, slots=slots))


def test_slots_may_stand_in_either_place() -> None:
    first, second = HEADER.slots
    swapped = replace(HEADER, slots=(second, first)).encode()
    assert ARTIFACT.but(small=swapped).open() == ARTIFACT.plaintext


@pytest.mark.parametrize("key", [bytes(32), bytes(31), b"\1" + bytes(31)])
def test_a_device_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidError, match=r"^encryptionKey of device .*must be a 32-byte X25519"):
        wrap_for_device(HEADER.core, DATA_KEY, key, DEVICE.signing_key)


def test_keys_of_the_wrong_kind_say_what_they_open() -> None:
    with pytest.raises(MissingError, match="aes-256-cbc-v1 opens with the fleet key"):
        seal(V1, b"x").but(keys=DEVICE).open()
    with pytest.raises(MissingError, match="sealed-v2 opens with a keyring or a device key"):
        ARTIFACT.but(keys=FleetKey(bytes(32))).open()
