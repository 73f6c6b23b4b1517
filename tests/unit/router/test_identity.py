"""Who counts as who he says, and every forgery that does not."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealyard.annotations.message import Annotation
from sealyard.api.annotation_route import (
    BrokerUser,
    BrokerUserIdentity,
    IdentitySpec,
    JwtIdentity,
)
from sealyard.api.model import LocalObjectReference
from sealyard_router.delivery import Delivery
from sealyard_router.identity import (
    BrokerUsers,
    IdentityRule,
    Proven,
    Tokens,
    Trusted,
    Unproven,
    identity_rule,
    judge,
    name_of,
)
from sealyard_router.identity_keys import parse_key_set
from support.annotations import an_annotation
from support.identities import (
    ANNOTATOR,
    AUDIENCE,
    ED25519,
    ISSUER,
    NOW,
    OTHER_ED25519,
    P256,
    RSA,
    claims,
    forged,
    jwk,
    jwk_set,
    token,
)

KEYS = parse_key_set(jwk_set(jwk(ED25519, kid="ed"), jwk(P256, kid="ec"), jwk(RSA, kid="rsa")))
ONE = parse_key_set(jwk_set(jwk(ED25519, kid="ed")))
NAMELESS = parse_key_set(jwk_set(jwk(ED25519)))
TOKENS = Tokens(KEYS, AUDIENCE, ISSUER)
PUBLIC = ED25519.public_key()


def by(proof: str | None, *, rule: IdentityRule = TOKENS, at: float = NOW, **said: Any) -> Any:
    fields: dict[str, Any] = {"annotator": ANNOTATOR, **said}
    if proof is not None:
        fields["proof"] = {"jwt": proof}
    delivery = Delivery(7, int(at * 1000), b"")
    return judge(an_annotation(**fields), delivery, rule)


PROVEN: dict[str, tuple[Any, str]] = {
    "Ed25519": (by(token()), "Validator"),
    "P-256": (by(token(key=P256, algorithm="ES256", kid="ec")), "Validator"),
    "RSA": (by(token(key=RSA, algorithm="RS256", kid="rsa")), "Validator"),
    "the token's role, not the message's": (by(token(), role="Admin"), "Validator"),
    "another role": (by(token(claims(role="Operator")), role="Validator"), "Operator"),
    "several audiences": (by(token(claims(aud=["other", AUDIENCE]))), "Validator"),
    "any issuer": (by(token(claims(iss=None)), rule=Tokens(KEYS, AUDIENCE)), "Validator"),
    "without nbf": (by(token(claims(nbf=None))), "Validator"),
    "fractions of seconds": (by(token(claims(iat=NOW - 0.5, exp=NOW + 0.5))), "Validator"),
    "in the last second": (by(token(), at=NOW + 840 + 29.9), "Validator"),
    "before it begins, by little": (by(token(), at=NOW - 60 - 30), "Validator"),
    "without a kid, one key": (by(token(kid=None), rule=Tokens(ONE, AUDIENCE)), "Validator"),
    "a kid, a nameless key": (by(token(), rule=Tokens(NAMELESS, AUDIENCE)), "Validator"),
    "much later, of an old message": (by(token(), at=NOW), "Validator"),
}


@pytest.mark.parametrize("case", PROVEN)
def test_proven(case: str) -> None:
    found, role = PROVEN[case]
    assert found == Proven(role)


def _pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _raw(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


HEAD, BODY, SIGNATURE = token().split(".")
OTHER_BODY = token(claims(role="Admin")).split(".")[1]
FORGED: dict[str, tuple[Any, str]] = {
    "no token": (by(None), "the message has no token"),
    "no token at all": (by("abc"), "the token is no JSON Web Token"),
    "empty": (by(""), "the token is no JSON Web Token"),
    "four parts": (by(token() + ".a"), "the token is no JSON Web Token"),
    "alg none": (
        by(forged({"alg": "none", "kid": "ed"}, claims(), None)),
        "the token is not signed as its key signs (EdDSA)",
    ),
    "alg None": (
        by(forged({"alg": "None", "kid": "ed"}, claims(), None)),
        "the token is not signed as its key signs (EdDSA)",
    ),
    "no alg": (
        by(forged({"kid": "ed"}, claims(), None)),
        "the token is not signed as its key signs (EdDSA)",
    ),
    "HS256 with the public key": (
        by(forged({"alg": "HS256", "kid": "rsa"}, claims(), _pem(RSA))),
        "the token is not signed as its key signs (RS256)",
    ),
    "HS256 with the public key's bytes": (
        by(forged({"alg": "HS256", "kid": "ed"}, claims(), _raw(ED25519))),
        "the token is not signed as its key signs (EdDSA)",
    ),
    "EdDSA by name, HS256 in truth": (
        by(forged({"alg": "EdDSA", "kid": "ed"}, claims(), _raw(ED25519))),
        "the token has a signature that is not its key's",
    ),
    "RS512 for RS256": (
        by(token(key=RSA, algorithm="RS512", kid="rsa")),
        "the token is not signed as its key signs (RS256)",
    ),
    "another's key": (
        by(token(key=OTHER_ED25519)),
        "the token has a signature that is not its key's",
    ),
    "its own key in the header": (
        by(token(key=OTHER_ED25519, jwk=jwk(OTHER_ED25519))),
        "the token has a signature that is not its key's",
    ),
    "a key's address in the header": (
        by(token(key=OTHER_ED25519, kid="new", jku="https://example.org/keys")),
        "the token names no key of the set",
    ),
    "another key of the set": (
        by(token(kid="ec")),
        "the token is not signed as its key signs (ES256)",
    ),
    "an unknown kid": (by(token(kid="old")), "the token names no key of the set"),
    "an unknown kid, one key": (
        by(token(kid="old"), rule=Tokens(ONE, AUDIENCE)),
        "the token names no key of the set",
    ),
    "a kid that is a path": (
        by(forged({"alg": "EdDSA", "kid": "../../dev/null"}, claims(), b"")),
        "the token names no key of the set",
    ),
    "a kid that is no text": (
        by(forged({"alg": "EdDSA", "kid": 7}, claims(), b"")),
        "the token is no JSON Web Token",
    ),
    "no kid, several keys": (by(token(kid=None)), "the token names no key of the set"),
    "without its signature": (
        by(f"{HEAD}.{BODY}."),
        "the token has a signature that is not its key's",
    ),
    "other claims": (
        by(f"{HEAD}.{OTHER_BODY}.{SIGNATURE}"),
        "the token has a signature that is not its key's",
    ),
    "what a header says is critical": (
        by(token(crit=["b64x"], b64x=True)),
        "the token is no JSON Web Token",
    ),
    "another audience": (
        by(token(claims(aud="sealyard-release-api"))),
        "the token has another audience than the route",
    ),
    "no audience": (by(token(claims(aud=None))), "the token has no aud"),
    "another issuer": (
        by(token(claims(iss="https://evil.example.org"))),
        "the token has another issuer than the route",
    ),
    "no issuer": (by(token(claims(iss=None))), "the token has no iss"),
    "no expiry": (by(token(claims(exp=None))), "the token has no exp"),
    "no beginning": (by(token(claims(iat=None))), "the token has no iat"),
    "no subject": (by(token(claims(sub=None))), "the token has no sub"),
    "expired": (
        by(token(), at=NOW + 840 + 30),
        "the token had expired when the broker took the message",
    ),
    "of the future": (
        by(token(), at=NOW - 60 - 31),
        "the token was not valid yet when the broker took the message; compare the clocks",
    ),
    "not yet begun": (
        by(token(claims(nbf=NOW + 31))),
        "the token was not valid yet when the broker took the message; compare the clocks",
    ),
    "good for ever": (
        by(token(claims(exp=NOW + 1e9))),
        "the token is good for 1000000060 s, may be for 86400",
    ),
    "no number as time": (by(token(claims(exp="soon"))), "the token has no time as exp"),
    "a truth as time": (by(token(claims(exp=True))), "the token has no time as exp"),
    "infinity as time": (by(token(claims(exp=float("inf")))), "the token has no time as exp"),
    "no time at all": (by(token(claims(iat=float("nan")))), "the token has no time as iat"),
    "a number beyond all": (by(token(claims(exp=10**400))), "the token has no time as exp"),
    "another's token": (
        by(token(), annotator="eve@example.org"),
        "the token is of another subject than the annotator",
    ),
    "another spelling": (
        by(token(), annotator="Ada@example.org"),
        "the token is of another subject than the annotator",
    ),
    "no role": (by(token(claims(role=None))), "the token names no role"),
    "several roles": (by(token(claims(role=["Admin"]))), "the token names no role"),
    "a role of two lines": (by(token(claims(role="Admin\n"))), "the token names no role"),
}


@pytest.mark.parametrize("case", FORGED)
def test_unproven(case: str) -> None:
    found, reason = FORGED[case]
    assert found == Unproven(reason)


def by_user(user: str | None, rule: IdentityRule) -> Any:
    # What a message says of itself is nothing here.
    said: Annotation = an_annotation(role="Admin", proof={"jwt": token(claims(role="Admin"))})
    return judge(said, Delivery(7, NOW * 1000, b"", user), rule)


BROKER = BrokerUsers({"studio": "Validator"})


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("studio", Proven("Validator")),
        ("Studio", Unproven("the broker's user 'Studio' has no role in this route")),
        ("e\nve", Unproven("the broker's user 'e\\nve' has no role in this route")),
        (
            None,
            Unproven("the message has no user id; publish it through an exchange, with one"),
        ),
    ],
)
def test_broker_users(user: str | None, found: Any) -> None:
    assert by_user(user, BROKER) == found


def test_trusted() -> None:
    assert by(None, rule=Trusted(), role="Admin") == Proven("Admin")
    assert by(None, rule=Trusted(), role=None) == Unproven("the message names no role")


def test_a_route_s_rule() -> None:
    secret = LocalObjectReference(name="keys")
    assert identity_rule(
        IdentitySpec(jwt=JwtIdentity(key_set_secret_ref=secret, issuer=ISSUER)), KEYS
    ) == Tokens(KEYS, AUDIENCE, ISSUER)
    users = BrokerUserIdentity(roles=[BrokerUser(user="studio", role="Validator")])
    assert identity_rule(IdentitySpec(broker_user=users), None) == BROKER
    assert identity_rule(IdentitySpec(claim="Trusted"), None) == Trusted()


@pytest.mark.parametrize(
    ("rule", "name"),
    [(Tokens(KEYS, AUDIENCE, ISSUER), "jwt"), (BROKER, "brokerUser"), (Trusted(), "Trusted")],
)
def test_what_the_journal_calls_a_rule(rule: IdentityRule, name: str) -> None:
    assert name_of(rule) == name


def test_nobody_is_trusted_by_oversight() -> None:
    assert identity_rule(IdentitySpec(), None) == BrokerUsers({})
