"""Which device holds which slot, and that it gets no other."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sealyard.api.device_api import (
    BATCH_MAX,
    DROPPED_GRANTS_PATH,
    GRANTED_VARIANTS_PATH,
    GRANTS_DIGEST_PATH,
    GRANTS_PATH,
    GrantBatch,
    GrantedSlot,
    granted_digest,
)
from sealyard.api.release_api import etag, manifest_path, small_path
from sealyard_release_api.database import Database
from sealyard_release_api.devices.operations import put_devices
from sealyard_release_api.grants import rows
from sealyard_release_api.grants.operations import put_grants
from sealyard_release_api.operations import put_small
from sealyard_release_api.releases import Release
from sealyard_release_api.roles import Principal, Role
from sealyard_release_api.store import Author, Store
from sealyard_release_api.wire import Refusal
from support.devices import Device, b64, bearer, register
from support.release_api import ReleaseApi, connect
from support.releases import LEGACY, SEALED, Sample, rewrapped, sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
ADMIN = Principal("admin@example.org", Role.ADMIN, ())
AUTHOR = Author("a@example.org", "2026-01-01T00:00:00Z")


def core_of(small: bytes) -> str:
    return hashlib.sha256(small[:128]).hexdigest()


@pytest.fixture
def release(publisher: httpx.Client, version: Callable[[str], str]) -> Sample:
    """Small parts that are there; the manifest is not."""
    release = sample("coins", version("1.0.0"))
    for variant, small in release.smalls.items():
        path = small_path("coins", release.version, variant)
        assert publisher.put(path, content=small, headers=OCTETS).status_code == 201
    return release


@pytest.fixture
def device(publisher: httpx.Client) -> Device:
    device = Device()
    register(publisher, device, "coins")
    return device


def grant(
    client: httpx.Client, release: Sample, *slots: GrantedSlot, variant: str = SEALED
) -> httpx.Response:
    small = release.smalls[variant]
    sha256 = core_of(small) if variant == SEALED else hashlib.sha256(small).hexdigest()
    body = {
        "model": release.model,
        "version": release.version,
        "variant": variant,
        "sha256": sha256,
        "slots": [slot.to_wire() for slot in slots],
    }
    return client.put(GRANTS_PATH, json=body)


def granted(client: httpx.Client, release: Sample, variant: str = SEALED) -> list[str]:
    query = {"model": release.model, "version": release.version, "variant": variant}
    devices: list[str] = client.get(GRANTS_PATH, params=query).json()["devices"]
    digest = client.get(GRANTS_DIGEST_PATH, params=query).json()
    assert digest == {"digest": granted_digest(devices), "devices": len(devices)}
    return devices


def drop(
    client: httpx.Client, release: Sample, *devices: Device, variant: str = SEALED
) -> httpx.Response:
    body = {"model": release.model, "version": release.version, "variant": variant}
    return client.put(
        DROPPED_GRANTS_PATH, json={**body, "devices": [device.id for device in devices]}
    )


def small_of(
    client: httpx.Client, release: Sample, headers: dict[str, str], variant: str = SEALED
) -> httpx.Response:
    return client.get(small_path(release.model, release.version, variant), headers=headers)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_device_gets_its_own_slot_and_no_other(
    anonymous: httpx.Client, publisher: httpx.Client, release: Sample, device: Device
) -> None:
    other = Device()
    register(publisher, other, "coins")
    assert grant(publisher, release, device.slot(1), other.slot(2)).json() == {"changed": 2}
    small = release.smalls[SEALED]
    for who, filler in ((device, 1), (other, 2)):
        answer = small_of(anonymous, release, bearer(anonymous, who))
        body = small[:128] + bytes.fromhex(who.id) + bytes([filler]) * 80 + bytes(96)
        assert (answer.status_code, answer.content) == (200, body)
        assert answer.headers["etag"] == etag(hashlib.sha256(body).hexdigest())


def test_the_audit_trail_names_whom_was_granted_and_who_read(
    *,
    api: ReleaseApi,
    anonymous: httpx.Client,
    publisher: httpx.Client,
    release: Sample,
    device: Device,
) -> None:
    slot = device.slot(0xAB)
    grant(publisher, release, slot)
    small_of(anonymous, release, bearer(anonymous, device))
    drop(publisher, release, device, Device())
    register(publisher, device, "coins", suspended=True)
    of = {"model": "coins", "version": release.version, "variant": SEALED}
    for event, fields in (
        ("put-grants", {**of, "changed": [device.id]}),
        ("drop-grants", {**of, "changed": [device.id]}),
        ("get-small", {**of, "who": device.id, "role": "Device", "status": 200}),
        ("put-device", {"device": device.id, "suspended": [device.id], "changed": [device.id]}),
    ):
        api.wait_for_line(
            lambda line, event=event, fields=fields: (
                line.get("event") == event and fields.items() <= line.items()
            )
        )
    assert slot.sealed not in api.log_text()


def test_what_was_not_granted_is_not_there(
    anonymous: httpx.Client, publisher: httpx.Client, release: Sample, device: Device
) -> None:
    token = bearer(anonymous, device)
    assert refusal(small_of(anonymous, release, token)) == (404, "NotGranted")
    assert refusal(small_of(anonymous, release, token, "nothing")) == (404, "NotFound")
    grant(publisher, release, device.slot())
    assert refusal(small_of(anonymous, release, token, LEGACY)) == (404, "NotGranted")


def test_a_legacy_device_gets_the_small_part_that_was_made_for_it(
    anonymous: httpx.Client, publisher: httpx.Client, release: Sample, device: Device
) -> None:
    sealed = bytes(range(64)) * 49
    slot = GrantedSlot(device_id=device.id, sealed=b64(sealed))
    assert grant(publisher, release, slot, variant=LEGACY).status_code == 200
    answer = small_of(anonymous, release, bearer(anonymous, device), LEGACY)
    assert (answer.status_code, answer.content) == (200, sealed)


def test_a_slot_is_replaced_and_the_same_again_changes_nothing(
    anonymous: httpx.Client, publisher: httpx.Client, release: Sample, device: Device
) -> None:
    changes = [grant(publisher, release, device.slot(n)).json()["changed"] for n in (1, 1, 2)]
    assert changes == [1, 0, 1]
    answer = small_of(anonymous, release, bearer(anonymous, device))
    assert answer.content[144:224] == bytes([2]) * 80
    assert granted(publisher, release) == [device.id]


def test_a_batch_is_granted_whole_or_not_at_all(
    publisher: httpx.Client, release: Sample, device: Device
) -> None:
    answer = grant(publisher, release, device.slot(), Device().slot())
    assert refusal(answer) == (409, "UnknownDevice")
    assert granted(publisher, release) == []


def test_slots_of_another_core_are_refused(
    publisher: httpx.Client, release: Sample, device: Device, version: Callable[[str], str]
) -> None:
    other = sample("coins", version("2.0.0"), seed="another")
    mixed = Sample("coins", release.version, other.smalls, other.manifest, other.raw)
    assert refusal(grant(publisher, mixed, device.slot())) == (409, "SmallPartDiffers")
    assert refusal(grant(publisher, other, device.slot())) == (409, "SmallPartMissing")


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        pytest.param([], (400, "InvalidRequest"), id="none"),
        pytest.param([Device().slot()] * 2, (400, "InvalidGrant"), id="twice"),
        pytest.param(
            [Device().slot().model_copy(update={"device_id": "0" * 32})],
            (400, "InvalidGrant"),
            id="of another device",
        ),
        pytest.param([Device().slot()] * (BATCH_MAX + 1), (400, "InvalidRequest"), id="too many"),
    ],
)
def test_batches_that_are_refused(
    publisher: httpx.Client,
    release: Sample,
    slots: list[GrantedSlot],
    expected: tuple[int, str],
) -> None:
    assert refusal(grant(publisher, release, *slots)) == expected


def test_whoever_may_have_less_loses_the_slots(
    publisher: httpx.Client, release: Sample, device: Device
) -> None:
    other = Device()
    register(publisher, other, "coins", "screws")
    grant(publisher, release, device.slot(), other.slot())
    register(publisher, device, "coins", "screws")
    assert granted(publisher, release) == sorted([device.id, other.id])
    register(publisher, device, "coins", "screws", suspended=True)
    assert granted(publisher, release) == [other.id]
    assert refusal(grant(publisher, release, device.slot())) == (409, "UnknownDevice")
    register(publisher, other, "screws")
    assert granted(publisher, release) == []
    assert refusal(grant(publisher, release, other.slot())) == (409, "UnknownDevice")
    register(publisher, device, "coins")
    assert granted(publisher, release) == []


def test_slots_are_dropped_from_those_named_and_no_others(
    *,
    anonymous: httpx.Client,
    publisher: httpx.Client,
    release: Sample,
    device: Device,
) -> None:
    other = Device()
    register(publisher, other, "coins")
    slot = GrantedSlot(device_id=device.id, sealed=b64(bytes(range(64)) * 49))
    grant(publisher, release, slot, variant=LEGACY)
    grant(publisher, release, device.slot(), other.slot())
    answers = [drop(publisher, release, device, Device()) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"changed": 1}, {"changed": 0}]
    assert granted(publisher, release) == [other.id]
    assert granted(publisher, release, LEGACY) == [device.id]
    token = bearer(anonymous, device)
    assert refusal(small_of(anonymous, release, token)) == (404, "NotGranted")
    assert grant(publisher, release, device.slot()).json() == {"changed": 1}


def test_the_variants_of_which_somebody_holds_a_slot(
    publisher: httpx.Client, release: Sample, device: Device
) -> None:
    def listed(**query: str) -> list[str]:
        page = publisher.get(GRANTED_VARIANTS_PATH, params={"limit": "1", **query}).json()
        found = [one["variant"] for one in page["variants"] if one["version"] == release.version]
        return [*found, *(["…"] if page.get("next", "").startswith(before) else [])]

    before = f"coins/{release.version}/"
    assert listed(after=before + "a") != [SEALED]
    grant(publisher, release, device.slot())
    slot = GrantedSlot(device_id=device.id, sealed=b64(bytes(range(64)) * 49))
    grant(publisher, release, slot, variant=LEGACY)
    first, second = sorted([SEALED, LEGACY])
    assert listed(after=before + "a") == [first, "…"]
    assert listed(after=before + first) == [second] or listed(after=before + first) == [second, "…"]
    drop(publisher, release, device, variant=second)
    assert listed(after=before + first) == []


@pytest.mark.parametrize("after", ["coins", "coins/1.0.0", "coins/1/v", "-/1.0.0/v", "a/1.0.0/b/c"])
def test_a_list_of_variants_begins_behind_one(publisher: httpx.Client, after: str) -> None:
    answer = publisher.get(GRANTED_VARIANTS_PATH, params={"after": after})
    assert refusal(answer) == (400, "InvalidName")


def test_a_small_part_that_is_replaced_takes_its_slots_along(
    publisher: httpx.Client, release: Sample, device: Device
) -> None:
    path = small_path("coins", release.version, SEALED)
    small = release.smalls[SEALED]
    grant(publisher, release, device.slot())
    publisher.put(path, content=small, headers=OCTETS)
    assert granted(publisher, release) == [device.id]
    other = sample("coins", release.version, seed="another").smalls[SEALED]
    assert publisher.put(path, content=other, headers=OCTETS).status_code == 200
    assert granted(publisher, release) == []


def test_another_key_of_the_cluster_leaves_the_slots(
    anonymous: httpx.Client, publisher: httpx.Client, release: Sample, device: Device
) -> None:
    grant(publisher, release, device.slot())
    manifest = manifest_path("coins", release.version)
    assert publisher.put(manifest, content=release.raw, headers=JSON).status_code == 201
    before = small_of(anonymous, release, bearer(anonymous, device)).content
    put = publisher.put(
        small_path("coins", release.version, SEALED),
        content=rewrapped(release.smalls[SEALED]),
        headers={**OCTETS, "If-Match": "*"},
    )
    assert put.status_code == 200
    assert small_of(anonymous, release, bearer(anonymous, device)).content == before


def test_a_publisher_grants_its_own_models_only(api: ReleaseApi, publisher: httpx.Client) -> None:
    screws = sample("screws", "9.0.0")
    with connect(api, "coins@example.org") as client:
        assert refusal(grant(client, screws, Device().slot())) == (403, "Forbidden")
        assert refusal(drop(client, screws, Device())) == (403, "Forbidden")
        variants = client.get(GRANTED_VARIANTS_PATH, params={"limit": "500"}).json()["variants"]
        assert all(one["model"].startswith("coins") for one in variants)
        for path in (GRANTS_PATH, GRANTS_DIGEST_PATH):
            query = {"model": "screws", "version": "9.0.0", "variant": SEALED}
            assert refusal(client.get(path, params=query)) == (403, "Forbidden")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"model": "coins", "version": "1.0.0"},
        {"model": "-", "version": "1.0.0", "variant": "v"},
        {"model": "coins", "version": "1", "variant": "v"},
        {"model": "coins", "version": "1.0.0", "variant": "../x"},
        {"model": "coins\0", "version": "1.0.0", "variant": "v"},
    ],
)
def test_a_query_names_a_variant(publisher: httpx.Client, query: dict[str, str]) -> None:
    for path in (GRANTS_PATH, GRANTS_DIGEST_PATH):
        assert refusal(publisher.get(path, params=query)) == (400, "InvalidRequest")


def test_the_list_has_pages(publisher: httpx.Client, release: Sample) -> None:
    devices = [Device() for _ in range(5)]
    for device in devices:
        register(publisher, device, "coins")
    grant(publisher, release, *(device.slot() for device in devices))
    query = {"model": "coins", "version": release.version, "variant": SEALED, "limit": "2"}
    found: list[str] = []
    while True:
        page: dict[str, Any] = publisher.get(GRANTS_PATH, params=query).json()
        assert len(page["devices"]) <= 2
        found += page["devices"]
        if "next" not in page:
            break
        query["after"] = page["next"]
    assert found == sorted(device.id for device in devices)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    opened = Store.open(database)
    yield opened
    opened.close()


def test_a_device_suspended_while_it_is_granted_keeps_nothing(store: Store) -> None:
    release, small = Release("coins", "1.0.0"), sample().smalls[SEALED]
    put_small(store, release, SEALED, small, if_match=None, author=AUTHOR)
    devices = [Device() for _ in range(20)]
    put_devices(store, [device.entry("coins") for device in devices], ADMIN, AUTHOR)
    barrier = threading.Barrier(2)

    def grant_them() -> None:
        barrier.wait(60)
        for device in devices:
            batch = GrantBatch(
                model="coins",
                version="1.0.0",
                variant=SEALED,
                sha256=core_of(small),
                slots=[device.slot()],
            )
            try:
                put_grants(store, batch, AUTHOR)
            except Refusal as refused:
                assert refused.reason == "UnknownDevice"  # noqa: PT017 - either may be first

    def suspend_them() -> None:
        barrier.wait(60)
        for device in devices:
            put_devices(store, [device.entry("coins", suspended=True)], ADMIN, AUTHOR)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(grant_them), pool.submit(suspend_them)]:
            done.result(120)
    with store.reading() as transaction:
        assert rows.device_ids(transaction, rows.Variant(release, SEALED)) == []
