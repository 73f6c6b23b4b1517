from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.device_api import DeviceEntry
from sealyard.api.release_api import Reason
from sealyard_release_api.devices.entries import Device as Registered
from sealyard_release_api.devices.entries import check_device_id, judge_devices, lost_models
from sealyard_release_api.roles import Principal, Role
from sealyard_release_api.wire import Refusal
from support.devices import Device

ADMIN = Principal("admin@example.org", Role.ADMIN, ())
COINS = Principal("coins@example.org", Role.PUBLISHER, ("coins*",))
ONE, TWO = Device(), Device()
NOON = 1_800_000_000  # 2027-01-15T08:00:00Z


def judge(
    *entries: DeviceEntry, there: tuple[DeviceEntry, ...] = (), who: Principal = ADMIN
) -> dict[str, Registered]:
    registered = {entry.device_id: Registered(entry, 1) for entry in there}
    return {device.entry.device_id: device for device in judge_devices(entries, registered, who)}


def refused(reason: Reason, *entries: DeviceEntry, **options: Any) -> str:
    with pytest.raises(Refusal) as error:
        judge(*entries, **options)
    assert error.value.reason is reason
    return error.value.message


def test_a_new_device_is_a_change_and_the_same_again_is_none() -> None:
    entry = ONE.entry("coins")
    assert judge(entry) == {ONE.id: Registered(entry, 1)}
    assert judge(entry, there=(entry,)) == {}


@pytest.mark.parametrize(
    "changed",
    [
        ONE.entry("coins", "screws"),
        ONE.entry(),
        ONE.entry("coins", suspended=True),
        ONE.entry("coins", not_after="2030-01-01T00:00:00Z"),
    ],
)
def test_any_change_is_another_generation(changed: DeviceEntry) -> None:
    before = Registered(ONE.entry("coins"), 1)
    after = judge(changed, there=(before.entry,))[ONE.id]
    assert after.changes == 2
    assert after.generation != before.generation
    assert Registered(before.entry, 3).generation != before.generation


def test_models_are_a_set() -> None:
    entry = ONE.entry("coins", "screws")
    assert judge(ONE.entry("screws", "coins", "screws"), there=(entry,)) == {}


def test_an_id_must_be_of_its_keys() -> None:
    stolen = ONE.entry("coins").model_copy(update={"device_id": TWO.id})
    message = refused(Reason.INVALID_DEVICE, TWO.entry("coins"), stolen)
    assert message == f"device {TWO.id}: its keys make the id {ONE.id}"


@pytest.mark.parametrize(
    "time",
    [
        "",
        "tomorrow",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01T00:00:00+00:00",
        "2030-1-1T0:0:0Z",
        "2030-02-30T00:00:00Z",
        "2030-01-01T00:00:00.5Z",
    ],
)
def test_a_time_has_one_form(time: str) -> None:
    message = refused(Reason.INVALID_DEVICE, ONE.entry("coins", not_after=time))
    assert message.endswith("must be a time as 2030-01-31T12:00:00Z")


def test_a_batch_names_each_device_once() -> None:
    message = refused(Reason.INVALID_DEVICE, ONE.entry("coins"), ONE.entry("screws"))
    assert message == f"device {ONE.id}: stands in the batch twice"


@pytest.mark.parametrize(
    ("entry", "there"),
    [
        pytest.param(ONE.entry("coins", "screws"), (), id="a model of others"),
        pytest.param(ONE.entry("coins"), (ONE.entry("screws"),), id="a device of others"),
        pytest.param(ONE.entry(), (ONE.entry("coins", "screws"),), id="taking a model of others"),
    ],
)
def test_a_publisher_has_devices_of_its_own_models_only(
    entry: DeviceEntry, there: tuple[DeviceEntry, ...]
) -> None:
    message = refused(Reason.FORBIDDEN, entry, there=there, who=COINS)
    assert message == f"device {ONE.id}: model 'screws' is not among those of the account"
    assert judge(entry, there=there, who=ADMIN)


def test_what_a_device_lost_is_named() -> None:
    there = {
        ONE.id: Registered(ONE.entry("coins", "screws"), 1),
        TWO.id: Registered(TWO.entry("coins"), 1),
    }
    changed = judge_devices([ONE.entry("coins"), TWO.entry("screws")], there, ADMIN)
    assert lost_models(changed, there) == [(ONE.id, "screws"), (TWO.id, "coins")]


@pytest.mark.parametrize(
    ("entry", "obstacle"),
    [
        (ONE.entry("coins"), None),
        (ONE.entry("coins", suspended=True), "the device is suspended"),
        (ONE.entry("coins", not_after="2027-01-15T08:00:01Z"), None),
        (
            ONE.entry("coins", not_after="2027-01-15T08:00:00Z"),
            "the device's notAfter, 2027-01-15T08:00:00Z, has passed",
        ),
    ],
)
def test_obstacles(entry: DeviceEntry, obstacle: str | None) -> None:
    assert Registered(entry, 1).obstacle(NOON) == obstacle


@pytest.mark.parametrize("wrong", ["", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n", "../" * 8])
def test_an_id_in_a_path_is_checked(wrong: str) -> None:
    assert check_device_id("0123456789abcdef" * 2) == "0123456789abcdef" * 2
    with pytest.raises(Refusal, match="must be 32 lower-case hex digits") as error:
        check_device_id(wrong)
    assert error.value.reason is Reason.INVALID_NAME
