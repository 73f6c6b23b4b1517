from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.sealing.formats import DeviceKey, FleetKey, ReleaseContext
from sealyard.sealing.header import Header, Slot
from sealyard.sealing.keyring import rewrap
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


def test_rewrap_leaves_the_core_and_both_keys_open_it_in_between() -> None:
    old = KEYRING
    both = old.add("kek-2", "v2", random=seeded("kek-2")).activate("kek-2")
    between = rewrap(HEADER, both, random=seeded("salt"))
    assert between.core == HEADER.core
    assert between.slots[0] == HEADER.slots[0]
    new = both.retire("kek-1")
    for keyring in (old, both, new):
        assert ARTIFACT.but(small=between.encode(), keys=keyring).open() == ARTIFACT.plaintext
    assert rewrap(between, both) == between

    after = between.without_slot(old.active_v2.id)
    assert ARTIFACT.but(small=after.encode(), keys=new).open() == ARTIFACT.plaintext
    with pytest.raises(MissingError, match="none of its v2 keys opens this small part"):
        old.data_key(after)
    assert rewrap(after, both) == after


def test_a_third_key_waits_until_a_slot_is_free() -> None:
    second = KEYRING.add("kek-2", "v2").activate("kek-2")
    third = second.add("kek-3", "v2").activate("kek-3")
    full = rewrap(HEADER, second)
    with pytest.raises(InvalidError, match="both slots are in use"):
        rewrap(full, third)
    freed = full.without_slot(KEYRING.active_v2.id)
    assert third.retire("kek-1").retire("kek-2").data_key(rewrap(freed, third)) == DATA_KEY


def damaged(slot: Slot | None) -> Slot:
    assert slot is not None
    return Slot(slot.recipient, bytes(80))


def test_a_damaged_slot_neither_locks_out_the_other_nor_passes_for_rewrapped() -> None:
    keyring = KEYRING.add("kek-2", "v2").activate("kek-2")
    first, second = rewrap(HEADER, keyring).slots
    for slots in ((damaged(first), second), (first, damaged(second))):
        assert keyring.data_key(replace(HEADER, slots=slots)) == DATA_KEY
    mended = rewrap(replace(HEADER, slots=(first, damaged(second))), keyring)
    assert keyring.retire("kek-1").data_key(mended.without_slot(KEYRING.active_v2.id)) == DATA_KEY
    with pytest.raises(IntegrityError, match=f"^{NOT_OPENED}$"):
        keyring.data_key(replace(HEADER, slots=(damaged(first), damaged(second))))


def test_every_wrap_has_a_salt_of_its_own() -> None:
    keyring = KEYRING.add("kek-2", "v2").activate("kek-2")
    assert rewrap(HEADER, keyring).slots[1] != rewrap(HEADER, keyring).slots[1]


def test_keys_of_the_wrong_kind_say_what_they_open() -> None:
    with pytest.raises(MissingError, match="aes-256-cbc-v1 opens with the fleet key"):
        seal(V1, b"x").but(keys=DEVICE).open()
    with pytest.raises(MissingError, match="sealed-v2 opens with a keyring or a device key"):
        ARTIFACT.but(keys=FleetKey(bytes(32))).open()
