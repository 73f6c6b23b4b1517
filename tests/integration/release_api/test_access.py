"""Who gets in, and what each role may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealyard.api.device_api import device_path
from sealyard.api.release_api import LoginResponse, manifest_path, small_path, user_state_path
from sealyard_release_api.tokens import KeySet
from support.release_api import PASSWORD, PUBLISHER, VERIFIER, ReleaseApi, connect, log_in
from support.releases import sample

pytestmark = pytest.mark.stores

OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
SMALL = small_path("coins", "0.0.1", "v")
MANIFEST = manifest_path("coins", "0.0.1")
STATE = user_state_path("nobody@example.org")
DEVICE = device_path("0" * 32)
TARGET = f"/tuf/targets/coins/channels/{'0' * 64}.stable.json"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "message"}
    assert "\n" not in body["message"]
    return answer.status_code, body["error"]


def test_a_login_gives_a_token_for_a_quarter_of_an_hour(anonymous: httpx.Client) -> None:
    before = int(time.time())
    answer = anonymous.post("/login", json={"email": VERIFIER, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    token = LoginResponse.model_validate_json(answer.content).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    assert before <= claims["iat"] <= int(time.time())
    assert claims["sub"] == VERIFIER


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (VERIFIER, PASSWORD + "x"),
        (VERIFIER, PASSWORD.upper()),
        ("nobody@example.org", PASSWORD),
        ("' OR 1=1 --@example.org", PASSWORD),
        ("a\0b", PASSWORD),
    ],
)
def test_a_wrong_login_does_not_say_what_is_wrong(
    anonymous: httpx.Client, email: str, password: str
) -> None:
    answer = anonymous.post("/login", json={"email": email, "password": password})
    assert refusal(answer) == (401, "LoginRefused")
    assert answer.json()["message"] == "the email or the password is wrong"


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", JSON, (400, "InvalidRequest")),
        (b"{", JSON, (400, "InvalidRequest")),
        (b"[]", JSON, (400, "InvalidRequest")),
        (b"null", JSON, (400, "InvalidRequest")),
        (b"\xff\xfe", JSON, (400, "InvalidRequest")),
        (b"[" * 4000, JSON, (400, "InvalidRequest")),
        (b'{"email": "a@b"}', JSON, (400, "InvalidRequest")),
        (b'{"email": 1, "password": "x"}', JSON, (400, "InvalidRequest")),
        (b'{"email": "a@b", "password": "\\ud800"}', JSON, (400, "InvalidRequest")),
        (b'{"email": "a@b", "password": ""}', JSON, (400, "InvalidRequest")),
        (b'{"email": "a@b", "password": "' + b"x" * 1025 + b'"}', JSON, (400, "InvalidRequest")),
        (b" " * 4097, JSON, (413, "TooLarge")),
        (b"email=a@b&password=x", {"Content-Type": "text/plain"}, (415, "WrongContentType")),
        (b"{}", {}, (415, "WrongContentType")),
        (b"{}", {**JSON, "Content-Encoding": "gzip"}, (415, "WrongContentType")),
    ],
)
def test_a_login_that_cannot_be_read(
    anonymous: httpx.Client, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refusal(anonymous.post("/login", content=body, headers=headers)) == expected


def test_what_was_sent_is_never_repeated(anonymous: httpx.Client) -> None:
    answer = anonymous.post("/login", json={"email": 1, "password": {"secret": "hunter2hunter2"}})
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", SMALL, {"publisher"}),
        ("GET", SMALL, {"verifier", "device"}),
        ("PUT", MANIFEST, {"publisher"}),
        ("GET", MANIFEST, {"publisher", "verifier", "device"}),
        ("GET", "/releases", {"publisher", "verifier"}),
        ("GET", "/users", {"admin"}),
        ("PUT", STATE, {"admin"}),
        ("PUT", "/devices", {"admin", "publisher"}),
        ("GET", "/devices", {"admin", "publisher", "verifier"}),
        ("PUT", DEVICE, {"admin", "publisher"}),
        ("PUT", "/grants", {"publisher"}),
        ("GET", "/grants", {"publisher", "verifier"}),
        ("GET", "/grants/digest", {"publisher", "verifier"}),
        ("GET", "/grants/variants", {"publisher", "verifier"}),
        ("PUT", "/grants/dropped", {"publisher"}),
        ("PUT", "/tuf/timestamp.json", {"publisher"}),
        ("GET", "/tuf/timestamp.json", {"admin", "publisher", "verifier", "device"}),
        ("PUT", TARGET, {"publisher"}),
        ("GET", TARGET, {"admin", "publisher", "verifier", "device"}),
    ],
)
def test_each_role_may_do_its_own_work_only(
    *,
    publisher: httpx.Client,
    verifier: httpx.Client,
    admin: httpx.Client,
    as_device: httpx.Client,
    method: str,
    path: str,
    allowed: set[str],
) -> None:
    clients = {"publisher": publisher, "verifier": verifier, "admin": admin, "device": as_device}
    for role, client in clients.items():
        # An empty body is never stored: what is allowed gets as far as the body, or finds nothing.
        answer = client.request(method, path, headers=OCTETS if path == SMALL else JSON)
        if role in allowed:
            assert answer.status_code in {200, 400, 404}, answer.text
        else:
            assert refusal(answer) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", SMALL),
        ("GET", SMALL),
        ("PUT", MANIFEST),
        ("GET", MANIFEST),
        ("GET", "/releases"),
        ("GET", "/releases?limit=x"),
        ("GET", "/users"),
        ("PUT", STATE),
        ("PUT", "/devices"),
        ("GET", "/devices"),
        ("PUT", DEVICE),
        ("PUT", f"{DEVICE}/report"),
        ("PUT", "/grants"),
        ("GET", "/grants"),
        ("GET", "/grants/digest"),
        ("GET", "/grants/variants"),
        ("PUT", "/grants/dropped"),
        ("PUT", "/tuf/timestamp.json"),
        ("GET", "/tuf/timestamp.json"),
        ("PUT", TARGET),
        ("GET", TARGET),
    ],
)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Basic YTpi", "Bearer x", "Bearer a.b.c"]
)
def test_nothing_without_a_token(
    anonymous: httpx.Client, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = anonymous.request(method, path, headers=headers)
    assert refusal(answer) == (401, "TokenRefused")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("email", "method", "model", "status"),
    [
        ("coins@example.org", "PUT", "coins", 400),
        ("coins@example.org", "PUT", "coins-2", 400),
        ("coins@example.org", "PUT", "screws", 403),
        ("coins@example.org", "PUT", "coi", 403),
        ("coins-verifier@example.org", "GET", "coins", 404),
        ("coins-verifier@example.org", "GET", "coins-2", 403),
    ],
)
def test_an_account_has_its_models_only(
    api: ReleaseApi, email: str, method: str, model: str, status: int
) -> None:
    with connect(api, email) as client:
        answer = client.request(method, small_path(model, "0.0.1", "v"), headers=OCTETS)
    assert answer.status_code == status, answer.text


def test_a_list_has_the_models_of_the_account_only(
    api: ReleaseApi, publisher: httpx.Client, version: Callable[[str], str]
) -> None:
    for model in ("coins", "screws"):
        release = sample(model, version("1.0.0"))
        for name, small in release.smalls.items():
            publisher.put(small_path(model, release.version, name), content=small, headers=OCTETS)
        put = publisher.put(
            manifest_path(model, release.version), content=release.raw, headers=JSON
        )
        assert put.status_code == 201
    with connect(api, "coins-verifier@example.org") as client:
        listed = client.get("/releases").json()["releases"]
    assert {entry["model"] for entry in listed} == {"coins"}


# Forgeries. Each differs from a good token in one thing.

Forge = Callable[[dict[str, Any], dict[str, Any], KeySet], str]


def encode(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def sign(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    head = encode(header, claims)
    signature = base64.urlsafe_b64encode(key.sign(head.encode())).decode().rstrip("=")
    return f"{head}.{signature}"


def alg_none(header: dict[str, Any], claims: dict[str, Any], _keys: KeySet) -> str:
    return encode({**header, "alg": "none"}, claims) + "."


def hs256_with_the_public_key(header: dict[str, Any], claims: dict[str, Any], keys: KeySet) -> str:
    public = keys.verifying[keys.active].public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = encode({**header, "alg": "HS256"}, claims)
    mac = hmac.new(public, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def another_key(header: dict[str, Any], claims: dict[str, Any], _keys: KeySet) -> str:
    return sign(header, claims, Ed25519PrivateKey.generate())


def embedded_key(header: dict[str, Any], claims: dict[str, Any], _keys: KeySet) -> str:
    key = Ed25519PrivateKey.generate()
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
    return sign({**header, "kid": "mine", "jwk": jwk}, claims, key)


def with_claims(**changes: Any) -> Forge:
    def forge(header: dict[str, Any], claims: dict[str, Any], keys: KeySet) -> str:
        return sign(header, {**claims, **changes}, keys.signing)

    return forge


def at(seconds: int) -> Forge:
    def forge(header: dict[str, Any], claims: dict[str, Any], keys: KeySet) -> str:
        moved = {name: claims[name] + seconds for name in ("iat", "nbf", "exp")}
        return sign(header, {**claims, **moved}, keys.signing)

    return forge


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        pytest.param(alg_none, "not valid", id="alg none"),
        pytest.param(hs256_with_the_public_key, "not valid", id="HS256 with the public key"),
        pytest.param(another_key, "not valid", id="another key"),
        pytest.param(embedded_key, "not signed by a key", id="a key that it brings along"),
        pytest.param(with_claims(aud="sealyard-annotations"), "audience", id="annotations"),
        pytest.param(with_claims(iss="somebody"), "issuer", id="another issuer"),
        pytest.param(at(-1000), "expired", id="expired"),
        pytest.param(at(600), "future", id="of the future"),
        pytest.param(with_claims(exp=2**40), "longer than", id="good for ever"),
        pytest.param(with_claims(generation="0" * 16), "changed", id="an old generation"),
        pytest.param(with_claims(sub="nobody@example.org"), "changed", id="no such account"),
        pytest.param(with_claims(sub=PUBLISHER), "changed", id="another account"),
    ],
)
def test_forged_tokens_are_refused(
    api: ReleaseApi, anonymous: httpx.Client, forge: Forge, says: str
) -> None:
    keys = KeySet.parse((api.secrets_dir / "jwt-keys.json").read_bytes())
    good = log_in(anonymous, VERIFIER)
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    untouched = sign(header, claims, keys.signing)
    answers = [
        anonymous.get("/releases", headers={"Authorization": f"Bearer {token}"})
        for token in (untouched, forge(header, claims, keys))
    ]
    assert answers[0].status_code == 200
    assert refusal(answers[1]) == (401, "TokenRefused")
    assert says in answers[1].json()["message"]


def test_a_role_in_a_token_is_not_believed_against_the_account(
    api: ReleaseApi, anonymous: httpx.Client
) -> None:
    keys = KeySet.parse((api.secrets_dir / "jwt-keys.json").read_bytes())
    good = log_in(anonymous, VERIFIER)
    claims = {**jwt.decode(good, options={"verify_signature": False}), "role": "Publisher"}
    token = sign(jwt.get_unverified_header(good), claims, keys.signing)
    answer = anonymous.put(
        SMALL, content=b"x" * 320, headers={**OCTETS, "Authorization": f"Bearer {token}"}
    )
    assert refusal(answer) == (403, "Forbidden")
