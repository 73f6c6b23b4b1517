"""A device's login over a line that loses answers, against the real release API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sealyard.api.device_api import device_token_path
from sealyard.delivery.api_session import ApiSession
from sealyard.delivery.http import HttpClient, Reply
from sealyard.delivery.retry import Retry, TransientError
from sealyard.delivery.tls import CaBundle
from sealyard.device.account import DeviceAccount
from support.devices import Device, register
from support.release_api import PUBLISHER, ReleaseApi, connect, release_api_server

pytestmark = pytest.mark.stores

ATTEMPTS = 3


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseApi]:
    with release_api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def device(api: ReleaseApi) -> Device:
    device = Device()
    with connect(api, PUBLISHER) as client:
        register(client, device, "coins")
    return device


@pytest.fixture
def session(api: ReleaseApi, device: Device) -> Iterator[ApiSession]:
    with ApiSession(
        api.url,
        DeviceAccount(device.id, device.signing),
        bundle=CaBundle(api.ca_path, "ca.crt"),
        retry=Retry(ATTEMPTS, first_pause_seconds=0.01),
        login_gap_seconds=0.01,
    ) as opened:
        yield opened


def lose_answers(monkeypatch: pytest.MonkeyPatch, device: Device, count: int) -> list[int]:
    """Lose the first answers to logins; what was answered to each login comes back."""
    statuses: list[int] = []
    send = HttpClient.send

    def lossy(client: HttpClient, method: str, path: str, **request: Any) -> Reply:
        reply = send(client, method, path, **request)
        if path == device_token_path(device.id):
            statuses.append(reply.status)
            if len(statuses) <= count:
                raise TransientError("the answer was lost")
        return reply

    monkeypatch.setattr(HttpClient, "send", lossy)
    return statuses


def test_a_login_whose_answer_was_lost_asks_for_another_nonce(
    monkeypatch: pytest.MonkeyPatch, session: ApiSession, device: Device
) -> None:
    statuses = lose_answers(monkeypatch, device, ATTEMPTS - 1)
    assert session.authorised("GET", "/tuf/timestamp.json", "the index").status == 404
    assert statuses == [200] * ATTEMPTS


def test_logins_whose_answers_are_lost_are_not_refused_for_good(
    monkeypatch: pytest.MonkeyPatch, session: ApiSession, device: Device
) -> None:
    lose_answers(monkeypatch, device, ATTEMPTS)
    with pytest.raises(TransientError, match="the answer was lost"):
        session.authorised("GET", "/tuf/timestamp.json", "the index")
    assert session.authorised("GET", "/tuf/timestamp.json", "the index").status == 404


def test_a_nonce_that_was_used_up_is_replaced(
    monkeypatch: pytest.MonkeyPatch, session: ApiSession, device: Device
) -> None:
    send = HttpClient.send
    statuses: list[int] = []

    def doubling(client: HttpClient, method: str, path: str, **request: Any) -> Reply:
        if path == device_token_path(device.id) and not statuses:
            send(client, method, path, **request)
        reply = send(client, method, path, **request)
        if path == device_token_path(device.id):
            statuses.append(reply.status)
        return reply

    monkeypatch.setattr(HttpClient, "send", doubling)
    assert session.authorised("GET", "/tuf/timestamp.json", "the index").status == 404
    assert statuses == [401, 200]
