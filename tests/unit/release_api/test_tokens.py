from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealyard.errors import InvalidError
from sealyard_release_api.accounts import User
from sealyard_release_api.roles import Principal, Role
from sealyard_release_api.tokens import KeySet, TokenError, new_key_set
from sealyard_router.delivery import Delivery
from sealyard_router.identity import Proven, Tokens, judge
from sealyard_router.identity_keys import parse_key_set
from support.annotations import an_annotation

NOW = 1_800_000_000
KEYS = KeySet.parse(new_key_set("issuer", "audience").encode())
USER = User(
    email="a@example.org",
    role=Role.VERIFIER,
    models=("*",),
    password_hash=PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("x"),
)
GENERATION = USER.generation(0)
PUBLIC_PEM = KEYS.verifying[KEYS.active].public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def claims(**changes: Any) -> dict[str, Any]:
    return {
        "iss": "issuer",
        "aud": "audience",
        "sub": USER.email,
        "role": "Verifier",
        "models": ["*"],
        "generation": GENERATION,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
        **changes,
    }


def signed(key: Ed25519PrivateKey = KEYS.signing, kid: str = KEYS.active, **changes: Any) -> str:
    body = {name: value for name, value in claims(**changes).items() if value is not None}
    return jwt.encode(body, key, algorithm="EdDSA", headers={"kid": kid})


def unsigned(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims()).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def hs256_with_the_public_key() -> str:
    # By hand: PyJWT itself refuses to use a PEM as an HMAC key.
    header = {"alg": "HS256", "typ": "JWT", "kid": KEYS.active}
    head = unsigned(header).rpartition(".")[0]
    mac = hmac.new(PUBLIC_PEM, head.encode(), hashlib.sha256).digest()
    return unsigned(header, mac)


def test_what_is_issued_is_believed() -> None:
    token = KEYS.issue(USER.principal, generation=GENERATION, now=NOW, seconds=900)
    got = KEYS.verify(token, now=NOW)
    assert got.model_dump() == claims()
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": KEYS.active}


def test_nothing_is_issued_for_longer_than_a_quarter_of_an_hour() -> None:
    got = KEYS.verify(
        KEYS.issue(USER.principal, generation=GENERATION, now=NOW, seconds=86_400), now=NOW
    )
    assert got.exp - got.iat == 900


@pytest.mark.parametrize(
    ("now", "good"),
    [(NOW - 31, False), (NOW - 30, True), (NOW + 929, True), (NOW + 930, False)],
)
def test_times_have_thirty_seconds_of_leeway(now: int, good: bool) -> None:
    token = signed()
    if good:
        KEYS.verify(token, now=now)
    else:
        with pytest.raises(TokenError, match=r"expired|future"):
            KEYS.verify(token, now=now)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        pytest.param("", "not valid", id="nothing"),
        pytest.param("a.b.c", "not valid", id="rubbish"),
        pytest.param("ä.ö.ü", "not valid", id="not ascii"),
        pytest.param("a" * 9000, "too long", id="endless"),
        pytest.param(unsigned({"alg": "none", "kid": KEYS.active}), "not valid", id="alg none"),
        pytest.param(unsigned({"alg": "None", "kid": KEYS.active}), "not valid", id="alg None"),
        pytest.param(hs256_with_the_public_key(), "not valid", id="HS256 with the public key"),
        pytest.param(
            unsigned({"alg": "EdDSA", "kid": KEYS.active}), "not valid", id="no signature"
        ),
        pytest.param(unsigned({"alg": "EdDSA"}), "not signed by a key", id="no kid"),
        pytest.param(unsigned({"alg": "EdDSA", "kid": 1}), "not", id="kid is a number"),
        pytest.param(signed(kid="other"), "not signed by a key", id="unknown kid"),
        pytest.param(signed(key=Ed25519PrivateKey.generate()), "not valid", id="another key"),
        pytest.param(signed(aud="sealyard-annotations"), "another audience", id="wrong aud"),
        pytest.param(signed(aud=None), "not valid", id="no aud"),
        pytest.param(signed(aud=["audience"]), "not valid", id="a list of audiences"),
        pytest.param(signed(iss="other"), "another issuer", id="wrong iss"),
        pytest.param(signed(role="Root"), "not valid", id="unknown role"),
        pytest.param(signed(generation=None), "not valid", id="no generation"),
        pytest.param(signed(exp=None), "not valid", id="no exp"),
        pytest.param(signed(exp="1900000000"), "not valid", id="exp is text"),
        pytest.param(signed(nbf=NOW + 31), "future", id="nbf of the future"),
        pytest.param(signed(iat=NOW + 31, exp=NOW + 100), "future", id="iat of the future"),
        pytest.param(signed(exp=NOW + 901), "longer than 900 s", id="good for too long"),
        pytest.param(signed(sub=None), "not valid", id="no sub"),
    ],
)
def test_tokens_that_are_refused(token: str, says: str) -> None:
    with pytest.raises(TokenError, match=says):
        KEYS.verify(token, now=NOW)


def test_an_old_key_still_verifies_while_it_is_listed() -> None:
    old, new = json.loads(new_key_set()), json.loads(new_key_set())
    token = KeySet.parse(json.dumps(old).encode()).issue(
        USER.principal, generation=GENERATION, now=NOW, seconds=60
    )
    both = {**new, "keys": {**new["keys"], **old["keys"]}}
    KeySet.parse(json.dumps(both).encode()).verify(token, now=NOW)
    with pytest.raises(TokenError, match="not signed by a key"):
        KeySet.parse(json.dumps(new).encode()).verify(token, now=NOW)


def test_the_issuer_can_be_given() -> None:
    keys = KeySet.parse(new_key_set().encode(), issuer="https://api.example.org")
    token = keys.issue(USER.principal, generation=GENERATION, now=NOW, seconds=60)
    assert keys.verify(token, now=NOW).iss == "https://api.example.org"


SEED = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"active": "other"}, "active: 'other' is not in keys, which has k1"),
        ({"keys": {}}, "keys"),
        ({"keys": {"k1": {"seed": "AAAA"}}}, "keys.k1.seed: must be 32 bytes in base64"),
        ({"keys": {"k1": {"seed": "!" + SEED}}}, "keys.k1.seed"),
        ({"keys": {"k 1": {"seed": SEED}}}, "keys"),
        ({"keys": {"k1": {"seed": SEED, "more": 1}}}, "keys.k1.more"),
        ({"issuer": ""}, "issuer"),
        ({"audience": None}, "audience"),
    ],
)
def test_a_wrong_file_is_named_and_not_repeated(changes: dict[str, Any], says: str) -> None:
    document = {
        "issuer": "i",
        "audience": "a",
        "active": "k1",
        "keys": {"k1": {"seed": SEED}},
        **changes,
    }
    with pytest.raises(InvalidError) as error:
        KeySet.parse(json.dumps(document).encode())
    assert str(error.value).startswith("jwt-keys.json: ")
    assert says in str(error.value)
    assert SEED not in str(error.value)


def test_an_identity_opens_nothing_here() -> None:
    ada = Principal("ada@example.org", Role.VALIDATOR, ())
    token = KEYS.issue_identity(ada, now=NOW, seconds=900)
    with pytest.raises(TokenError, match="the token is for another audience"):
        KEYS.verify(token, now=NOW)


def test_no_server_takes_identities_for_logins() -> None:
    raw = new_key_set("issuer", "sealyard-annotations").encode()
    with pytest.raises(InvalidError, match=r"audience: sealyard-annotations is for tokens that "):
        KeySet.parse(raw)


def test_an_identity_is_proven_by_the_public_keys() -> None:
    ada = Principal("ada@example.org", Role.VALIDATOR, ())
    token = KEYS.issue_identity(ada, now=NOW, seconds=900)
    rule = Tokens(parse_key_set(KEYS.public_set().encode()), "sealyard-annotations", "issuer")
    said = an_annotation(annotator="ada@example.org", proof={"jwt": token})
    for second, proven in ((0, True), (929, True), (930, False), (-31, False)):
        found = judge(said, Delivery(0, (NOW + second) * 1000, b""), rule)
        assert (found == Proven("Validator")) is proven


def test_the_public_keys_are_public() -> None:
    assert KEYS.signing.private_bytes_raw() not in _decoded(KEYS.public_set())


def _decoded(text: str) -> bytes:
    return b"".join(base64.urlsafe_b64decode(key["x"] + "=") for key in json.loads(text)["keys"])
