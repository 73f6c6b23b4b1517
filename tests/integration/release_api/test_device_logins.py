"""How a device logs in, and everybody who is not that device does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from string import ascii_letters
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealyard.api.device_api import (
    TOKEN_REQUEST_MAX_BYTES,
    Challenge,
    challenge_path,
    device_token_path,
)
from sealyard.api.index import TUF_PATH
from sealyard.api.release_api import TOKEN_MAX_CHARS, LoginResponse
from sealyard_release_api.tokens import KeySet
from support.devices import Device, bearer, log_in_as, nonce_for, register
from support.postgres import PostgresServer
from support.release_api import (
    PUBLISHER,
    ReleaseApi,
    connect,
    database_flags,
    log_in,
    prepare,
    release_api_server,
)

pytestmark = pytest.mark.stores

READ = f"{TUF_PATH}/timestamp.json"  # a device may, and it is not there
UNKNOWN = "there is no such device, or it has not signed this nonce for this API"


@pytest.fixture
def device(publisher: httpx.Client) -> Device:
    device = Device()
    register(publisher, device, "coins")
    return device


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def answer_to(client: httpx.Client, device_id: str, body: dict[str, str]) -> httpx.Response:
    return client.post(device_token_path(device_id), json=body)


def origin(client: httpx.Client) -> str:
    return str(client.base_url)


def test_a_signature_gives_a_token_of_the_device(anonymous: httpx.Client, device: Device) -> None:
    answer = log_in_as(anonymous, device)
    token = LoginResponse.model_validate_json(answer.content).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["role"], claims["models"]) == (device.id, "Device", ["coins"])
    assert claims["exp"] - claims["iat"] == 900
    read = anonymous.get(READ, headers={"Authorization": f"Bearer {token}"})
    assert refusal(read) == (404, "NotFound")


def test_a_stranger_gets_a_challenge_too_and_learns_nothing(
    anonymous: httpx.Client, device: Device
) -> None:
    stranger = Device()
    answers = [anonymous.post(challenge_path(d.id)) for d in (device, stranger)]
    assert [answer.status_code for answer in answers] == [200, 200]
    for answer in answers:
        Challenge.model_validate_json(answer.content)
    refused = [
        log_in_as(anonymous, stranger),
        log_in_as(anonymous, Device(device.encryption, stranger.signing)),
        answer_to(
            anonymous, device.id, stranger.sign(origin(anonymous), nonce_for(anonymous, device.id))
        ),
    ]
    for answer in refused:
        assert refusal(answer) == (401, "LoginRefused")
        assert answer.json()["message"] == UNKNOWN


def test_a_nonce_is_good_once(anonymous: httpx.Client, device: Device) -> None:
    body = device.sign(origin(anonymous), nonce_for(anonymous, device.id))
    assert answer_to(anonymous, device.id, body).status_code == 200
    again = answer_to(anonymous, device.id, body)
    assert refusal(again) == (401, "NonceRefused")
    assert "used before" in again.json()["message"]


DIGITS = f"{ascii_letters}0123456789+/"


@pytest.mark.parametrize(("field", "digits"), [("nonce", 1), ("signature", 2)])
def test_another_spelling_of_a_used_nonce_is_none(
    anonymous: httpx.Client, device: Device, field: str, digits: int
) -> None:
    body = device.sign(origin(anonymous), nonce_for(anonymous, device.id))
    assert answer_to(anonymous, device.id, body).status_code == 200
    bare, padding = body[field][:-digits], body[field][-digits:]
    raw = base64.b64decode(body[field])
    spellings = [f"{bare[:-1]}{digit}{padding}" for digit in DIGITS]
    same = [one for one in spellings if base64.b64decode(one) == raw]
    same.remove(body[field])
    assert len(same) == 4**digits - 1
    for spelling in same:
        again = answer_to(anonymous, device.id, {**body, field: spelling})
        assert refusal(again) == (400, "InvalidRequest")


def test_a_nonce_of_another_device_is_none(anonymous: httpx.Client, device: Device) -> None:
    body = device.sign(origin(anonymous), nonce_for(anonymous, Device().id))
    assert refusal(answer_to(anonymous, device.id, body)) == (401, "NonceRefused")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "https://127.0.0.1", "http://127.0.0.1:{port}", "", "{origin}/"],
)
def test_a_signature_for_another_origin_is_none(
    api: ReleaseApi, anonymous: httpx.Client, device: Device, elsewhere: str
) -> None:
    signed_for = elsewhere.format(port=api.port, origin=origin(anonymous))
    body = device.sign(signed_for, nonce_for(anonymous, device.id))
    answer = answer_to(anonymous, device.id, body)
    assert refusal(answer) == (401, "LoginRefused")
    assert answer.json()["message"] == UNKNOWN


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (400, "InvalidRequest")),
        (b"{}", (400, "InvalidRequest")),
        (b'{"nonce": "AA==", "signature": "AA=="}', (400, "InvalidRequest")),
        (b" " * (TOKEN_REQUEST_MAX_BYTES + 1), (413, "TooLarge")),
    ],
)
def test_an_answer_that_cannot_be_read(
    anonymous: httpx.Client, device: Device, content: bytes, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    path = device_token_path(device.id)
    assert refusal(anonymous.post(path, content=content, headers=headers)) == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"suspended": True}, "the device is suspended", id="suspended"),
        pytest.param(
            {"not_after": "2020-01-01T00:00:00Z"},
            "the device's notAfter, 2020-01-01T00:00:00Z, has passed",
            id="past its time",
        ),
    ],
)
def test_a_device_that_may_not_any_more_is_out_at_once(
    anonymous: httpx.Client, publisher: httpx.Client, device: Device, change: Any, says: str
) -> None:
    token = bearer(anonymous, device)
    assert anonymous.get(READ, headers=token).status_code == 404
    register(publisher, device, "coins", **change)
    assert refusal(anonymous.get(READ, headers=token)) == (401, "TokenRefused")
    answer = log_in_as(anonymous, device)
    assert refusal(answer) == (401, "LoginRefused")
    assert answer.json()["message"] == says
    register(publisher, device, "coins")
    assert refusal(anonymous.get(READ, headers=token)) == (401, "TokenRefused")
    assert anonymous.get(READ, headers=bearer(anonymous, device)).status_code == 404


def test_any_change_ends_the_tokens_and_the_same_again_does_not(
    anonymous: httpx.Client, publisher: httpx.Client, device: Device
) -> None:
    token = bearer(anonymous, device)
    register(publisher, device, "coins")
    assert anonymous.get(READ, headers=token).status_code == 404
    register(publisher, device, "coins", "screws")
    answer = anonymous.get(READ, headers=token)
    assert refusal(answer) == (401, "TokenRefused")
    assert answer.json()["message"] == "the device has changed; log in again"


def test_a_token_may_name_many_models(anonymous: httpx.Client, publisher: httpx.Client) -> None:
    device = Device()
    register(publisher, device, *(f"{n:02}{'m' * 61}" for n in range(64)))
    token = bearer(anonymous, device)
    assert 4096 < len(token["Authorization"]) < TOKEN_MAX_CHARS
    assert anonymous.get(READ, headers=token).status_code == 404


Claims = dict[str, Any]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"generation": "0" * 16}, "the device has changed", id="an old generation"),
        pytest.param({"role": "Publisher"}, "the account has changed", id="another role"),
        pytest.param({"sub": Device().id}, "the device has changed", id="no such device"),
        pytest.param({"sub": PUBLISHER}, "the device has changed", id="an account"),
        pytest.param({"aud": "sealyard-annotations"}, "another audience", id="annotations"),
        pytest.param({"iat": 0, "nbf": 0, "exp": 900}, "has expired", id="expired"),
        pytest.param(
            {"iat": 2**33, "nbf": 2**33, "exp": 2**33 + 900}, "of the future", id="of the future"
        ),
    ],
)
def test_tokens_of_devices_that_are_refused(
    api: ReleaseApi, anonymous: httpx.Client, device: Device, changes: Claims, says: str
) -> None:
    keys = KeySet.parse((api.secrets_dir / "jwt-keys.json").read_bytes())
    good = bearer(anonymous, device)["Authorization"].removeprefix("Bearer ")
    claims = {**jwt.decode(good, options={"verify_signature": False}), **changes}
    token = jwt.encode(claims, keys.signing, algorithm="EdDSA", headers={"kid": keys.active})
    answer = anonymous.get(READ, headers={"Authorization": f"Bearer {token}"})
    assert refusal(answer) == (401, "TokenRefused")
    assert says in answer.json()["message"]


def test_models_in_a_token_are_not_believed_against_the_device(
    api: ReleaseApi, anonymous: httpx.Client, device: Device
) -> None:
    keys = KeySet.parse((api.secrets_dir / "jwt-keys.json").read_bytes())
    good = bearer(anonymous, device)["Authorization"].removeprefix("Bearer ")
    claims = {**jwt.decode(good, options={"verify_signature": False}), "models": ["*"]}
    token = jwt.encode(claims, keys.signing, algorithm="EdDSA", headers={"kid": keys.active})
    path = "/releases/screws/1.0.0/manifest"
    answer = anonymous.get(path, headers={"Authorization": f"Bearer {token}"})
    assert refusal(answer) == (403, "Forbidden")


def test_attempts_are_limited_and_shut_nobody_out_from_elsewhere(tmp_path: Path) -> None:
    arguments = ["--account-attempts=3", "--attempt-window-seconds=3600"]
    device = Device()
    with (
        release_api_server(tmp_path, arguments=arguments) as api,
        connect(api, PUBLISHER) as client,
    ):
        register(client, device, "coins")
        thief = Device(device.encryption, Ed25519PrivateKey.generate())
        for _ in range(5):
            assert log_in_as(client, device).status_code == 200

        def guess() -> httpx.Response:
            body = thief.sign(api.url, nonce_for(client, device.id))
            return answer_to(client, device.id, body)

        assert [guess().status_code for _ in range(5)] == [401] * 3 + [429] * 2
        assert int(guess().headers["retry-after"]) > 0
        assert log_in_as(client, device).status_code == 429
        other = Device()
        register(client, other, "coins")
        assert log_in_as(client, other).status_code == 200


def test_replicas_have_one_name_and_know_the_nonces_of_each_other(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    arguments = [
        *database_flags(postgres.database(tmp_path / "database").ours),
        "--origin=https://API.example:443",
        "--origin=https://api.example:8443",
    ]
    device = Device()
    with release_api_server(tmp_path, arguments=arguments) as first:
        second = prepare(tmp_path / "second", ca=first.ca, arguments=arguments)
        for name in ("users.json", "jwt-keys.json"):
            (second.secrets_dir / name).write_bytes((first.secrets_dir / name).read_bytes())
        try:
            second.start()
            with connect(first) as one, connect(second) as other:
                publisher = {"Authorization": f"Bearer {log_in(one, PUBLISHER)}"}
                one.headers.update(publisher)
                register(one, device, "coins")
                assert log_in_as(one, device).status_code == 401  # it listens there, but is told
                assert log_in_as(one, device, origin="https://api.example:8443").status_code == 200
                body = device.sign("https://api.example", nonce_for(one, device.id))
                token = answer_to(other, device.id, body)
                assert token.status_code == 200
                again = answer_to(one, device.id, body)
                assert refusal(again) == (401, "NonceRefused")
                bearer = {"Authorization": f"Bearer {token.json()['token']}"}
                assert one.get(READ, headers=bearer).status_code == 404
                register(one, device, "coins", suspended=True)
                assert refusal(other.get(READ, headers=bearer)) == (401, "TokenRefused")
        finally:
            second.kill()


def test_no_token_or_signature_reaches_the_log(
    api: ReleaseApi, anonymous: httpx.Client, device: Device
) -> None:
    body = device.sign(origin(anonymous), nonce_for(anonymous, device.id))
    token = answer_to(anonymous, device.id, body).json()["token"]
    answer_to(anonymous, device.id, body)

    def mine(line: dict[str, Any]) -> bool:
        return line.get("event") == "device-login" and line.get("device") == device.id

    api.wait_for_line(lambda line: mine(line) and line.get("reason") == "NonceRefused")
    lines = [line for line in api.log_lines() if mine(line)]
    assert [line.get("who") for line in lines] == [device.id, None]
    text = json.dumps(api.log_lines())
    for secret in (token, *body.values()):
        assert secret not in text
