from __future__ import annotations

import hashlib
import os

import pytest

from sealyard.api.device_api import LEGACY_SMALL_MAX_BYTES, GrantedSlot
from sealyard.api.release_api import Reason
from sealyard_release_api.devices.entries import Rights
from sealyard_release_api.grants.slots import (
    check_devices,
    check_slots,
    check_small,
    small_for_device,
)
from sealyard_release_api.wire import Refusal
from support.devices import Device, b64
from support.releases import LEGACY, SEALED, sample

SMALLS = sample().smalls
V2, V1 = SMALLS[SEALED], SMALLS[LEGACY]
ME, OTHER = Device(), Device()


def refusal(error: pytest.ExceptionInfo[Refusal]) -> tuple[Reason, str]:
    return error.value.reason, error.value.message


def sealed(raw: bytes, device: Device = ME) -> GrantedSlot:
    return GrantedSlot(device_id=device.id, sealed=b64(raw))


def test_a_device_gets_the_core_and_its_own_slot_and_no_other() -> None:
    slot = os.urandom(96)
    small = small_for_device(V2, slot)
    assert small == V2[:128] + slot + bytes(96)
    assert V2[128:224] not in small


def test_a_legacy_device_gets_what_was_made_for_it() -> None:
    assert small_for_device(V1, b"its own") == b"its own"


def test_slots_name_what_they_were_made_for() -> None:
    assert check_small(V2, hashlib.sha256(V2[:128]).hexdigest()) == V2
    assert check_small(V1, hashlib.sha256(V1).hexdigest()) == V1
    for small, wrong in ((V2, V2), (V1, V1[:128])):
        with pytest.raises(Refusal) as error:
            check_small(small, hashlib.sha256(wrong).hexdigest())
        assert error.value.reason is Reason.SMALL_PART_DIFFERS
    with pytest.raises(Refusal) as error:
        check_small(None, "0" * 64)
    assert error.value.reason is Reason.SMALL_PART_MISSING


@pytest.mark.parametrize(
    ("small", "raw", "says"),
    [
        pytest.param(V2, bytes.fromhex(ME.id) + bytes(79), "95 bytes, must be 96", id="short"),
        pytest.param(V2, bytes.fromhex(ME.id) + bytes(81), "97 bytes, must be 96", id="long"),
        pytest.param(
            V2,
            bytes.fromhex(OTHER.id) + bytes(80),
            "must begin with the device's id",
            id="of another device",
        ),
        pytest.param(V2, bytes(3136), "3136 bytes, must be 96", id="of v1"),
        pytest.param(V1, bytes(96), "96 bytes, must be 3136", id="of v2"),
        pytest.param(V1, bytes(3135), "3135 bytes, must be 3136", id="short of v1"),
        pytest.param(V1[:320], bytes(383), "383 bytes, must be 384", id="of a v1 as long as v2"),
    ],
)
def test_slots_of_another_form(small: bytes, raw: bytes, says: str) -> None:
    with pytest.raises(Refusal) as error:
        check_slots([sealed(raw)], small)
    assert refusal(error) == (Reason.INVALID_GRANT, f"the slot of device {ME.id}: {says}")


def test_slots_of_the_right_form() -> None:
    slots = check_slots([ME.slot(), OTHER.slot()], V2)
    assert slots.keys() == {ME.id, OTHER.id}
    assert len(check_slots([sealed(bytes(len(V1) + 64))], V1)[ME.id]) == LEGACY_SMALL_MAX_BYTES


def test_a_batch_has_one_slot_for_each_device() -> None:
    with pytest.raises(Refusal, match="twice"):
        check_slots([ME.slot(1), ME.slot(2)], V2)


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(Refusal, match="must be in base64"):
        check_slots([GrantedSlot(device_id=ME.id, sealed="A" * 129)], V2)


@pytest.mark.parametrize(
    ("rights", "says"),
    [
        (None, "is not registered"),
        (Rights(True, ["coins"]), "is suspended"),
        (Rights(False, ["screws"]), "is not for model 'coins'"),
    ],
)
def test_the_first_device_that_may_not_is_named(rights: Rights | None, says: str) -> None:
    known = {ME.id: Rights(False, ["coins"])}
    check_devices([ME.id], known, "coins")
    if rights is not None:
        known[OTHER.id] = rights
    with pytest.raises(Refusal) as error:
        check_devices([ME.id, OTHER.id], known, "coins")
    assert refusal(error) == (Reason.UNKNOWN_DEVICE, f"device {OTHER.id} {says}")
