"""Which devices there are, who may say so, and what they report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sealyard.api.device_api import (
    BATCH_MAX,
    BATCH_MAX_BYTES,
    DEVICES_PATH,
    REPORT_MAX_BYTES,
    device_path,
    report_path,
)
from sealyard.api.release_api import manifest_path
from support.devices import Device, bearer, log_in_as, register
from support.release_api import ReleaseApi, connect

pytestmark = pytest.mark.stores

JSON = {"Content-Type": "application/json"}
REPORT = {
    "model": "coins",
    "version": "1.0.0",
    "manifestSha256": "a" * 64,
    "channel": "stable",
    "health": "Healthy",
}


def put(client: httpx.Client, *entries: Any) -> httpx.Response:
    return client.put(DEVICES_PATH, json={"devices": [entry.to_wire() for entry in entries]})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def listed(client: httpx.Client) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    query: dict[str, str] = {"limit": "20"}
    while True:
        page = client.get(DEVICES_PATH, params=query).json()
        assert len(page["devices"]) <= 20
        found |= {device["deviceId"]: device for device in page["devices"]}
        if "next" not in page:
            assert list(found) == sorted(found)
            return found
        query["after"] = page["next"]


def test_a_batch_says_how_many_it_changed(publisher: httpx.Client) -> None:
    one, two = Device(), Device()
    assert put(publisher, one.entry("coins"), two.entry("coins")).json() == {"changed": 2}
    assert put(publisher, one.entry("coins"), two.entry("screws")).json() == {"changed": 1}
    assert put(publisher, one.entry("coins")).json() == {"changed": 0}


def test_a_batch_is_taken_whole_or_not_at_all(publisher: httpx.Client) -> None:
    good, other = Device(), Device()
    bad = other.entry("coins").model_copy(update={"device_id": "0" * 32})
    assert refusal(put(publisher, good.entry("coins"), bad)) == (400, "InvalidDevice")
    assert good.id not in listed(publisher)


def test_the_path_and_the_body_name_one_device(publisher: httpx.Client) -> None:
    one, two = Device(), Device()
    answer = publisher.put(device_path(one.id), json=two.entry("coins").to_wire())
    assert refusal(answer) == (400, "InvalidDevice")


@pytest.mark.parametrize("device", ["x", "A" * 32, "0" * 31, "%2e%2e", "..%00"])
def test_a_path_that_names_no_device(publisher: httpx.Client, device: str) -> None:
    answer = publisher.put(f"{DEVICES_PATH}/{device}", json=Device().entry("coins").to_wire())
    assert answer.status_code in {400, 404, 405}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "InvalidRequest")),
        (b'{"devices": []}', (400, "InvalidRequest")),
        (b" " * (BATCH_MAX_BYTES + 1), (413, "TooLarge")),
    ],
)
def test_a_batch_that_cannot_be_read(
    publisher: httpx.Client, body: bytes, expected: tuple[int, str]
) -> None:
    assert refusal(publisher.put(DEVICES_PATH, content=body, headers=JSON)) == expected


def test_a_batch_has_its_bound(publisher: httpx.Client) -> None:
    entry = Device().entry("coins").to_wire()
    answer = publisher.put(DEVICES_PATH, json={"devices": [entry] * (BATCH_MAX + 1)})
    assert refusal(answer) == (400, "InvalidRequest")


def test_devices_are_seen_by_whom_they_concern(
    api: ReleaseApi, publisher: httpx.Client, admin: httpx.Client
) -> None:
    coins, screws, none = Device(), Device(), Device()
    put(publisher, coins.entry("coins"), screws.entry("screws"), none.entry())
    assert listed(admin).keys() >= {coins.id, screws.id, none.id}
    with connect(api, "coins-verifier@example.org") as client:
        seen = listed(client)
    assert coins.id in seen
    assert not {screws.id, none.id} & seen.keys()


def test_a_publisher_touches_no_device_of_other_models(
    api: ReleaseApi, publisher: httpx.Client
) -> None:
    device = Device()
    put(publisher, device.entry("screws"))
    with connect(api, "coins@example.org") as client:
        assert refusal(put(client, device.entry("coins"))) == (403, "Forbidden")
        assert refusal(put(client, Device().entry("screws"))) == (403, "Forbidden")
        assert put(client, Device().entry("coins")).status_code == 200
    assert listed(publisher)[device.id]["models"] == ["screws"]


def test_a_report_is_kept_by_model_the_newest_first(
    anonymous: httpx.Client, publisher: httpx.Client
) -> None:
    device = Device()
    register(publisher, device, "coins", "screws")
    token = bearer(anonymous, device)
    for report in (REPORT, {**REPORT, "model": "screws"}, {**REPORT, "version": "1.0.1"}):
        answer = anonymous.put(report_path(device.id), json=report, headers=token)
        assert answer.status_code == 200
        assert answer.json() == {**report, "reportedAt": answer.json()["reportedAt"]}
    reports = listed(publisher)[device.id]["reports"]
    assert {report["model"]: report["version"] for report in reports} == {
        "coins": "1.0.1",
        "screws": "1.0.0",
    }
    assert [r["reportedAt"] for r in reports] == sorted(r["reportedAt"] for r in reports)[::-1]
    register(publisher, device, "coins")
    reports = listed(publisher)[device.id]["reports"]
    assert [report["model"] for report in reports] == ["coins"]


def test_a_device_reports_for_itself_and_its_models_only(
    anonymous: httpx.Client, publisher: httpx.Client
) -> None:
    device, other = Device(), Device()
    register(publisher, device, "coins")
    register(publisher, other, "coins")
    token = bearer(anonymous, device)
    as_other = anonymous.put(report_path(other.id), json=REPORT, headers=token)
    assert refusal(as_other) == (403, "Forbidden")
    screws = {**REPORT, "model": "screws"}
    assert refusal(anonymous.put(report_path(device.id), json=screws, headers=token)) == (
        403,
        "Forbidden",
    )
    long = {**REPORT, "message": "x" * REPORT_MAX_BYTES}
    assert refusal(anonymous.put(report_path(device.id), json=long, headers=token)) == (
        413,
        "TooLarge",
    )
    for torn in ({"health": "Stopped"}, {"version": None}, {"manifestSha256": None}):
        body = {**REPORT, **torn}
        answer = anonymous.put(report_path(device.id), json=body, headers=token)
        assert refusal(answer) == (400, "InvalidRequest")
    stopped = {"model": "coins", "health": "Stopped"}
    assert anonymous.put(report_path(device.id), json=stopped, headers=token).is_success
    assert refusal(anonymous.put(report_path(device.id), json={}, headers=token)) == (
        400,
        "InvalidRequest",
    )
    assert listed(publisher)[other.id]["reports"] == []


def test_the_list_says_who_logged_in(anonymous: httpx.Client, publisher: httpx.Client) -> None:
    device = Device()
    register(publisher, device, "coins")
    assert "lastLoginAt" not in listed(publisher)[device.id]
    assert log_in_as(anonymous, device).status_code == 200
    seen = listed(publisher)[device.id]
    assert seen["lastLoginAt"].endswith("Z")
    register(publisher, device, "coins", "screws")
    assert listed(publisher)[device.id]["lastLoginAt"] == seen["lastLoginAt"]


def test_a_device_reads_manifests_of_its_models_only(
    anonymous: httpx.Client, publisher: httpx.Client, version: Callable[[str], str]
) -> None:
    device = Device()
    register(publisher, device, "coins")
    token = bearer(anonymous, device)
    statuses = {
        model: anonymous.get(manifest_path(model, version("1.0.0")), headers=token).status_code
        for model in ("coins", "screws")
    }
    assert statuses == {"coins": 404, "screws": 403}
