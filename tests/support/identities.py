"""Keys and tokens of annotators, right ones and forged ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

AUDIENCE = "sealyard-annotations"
ISSUER = "https://login.example.org"
ANNOTATOR = "ada@example.org"
NOW = 1_800_000_000
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(32))
P256 = new_ec(SECP256R1())
RSA = new_rsa(65537, 2048)


def jwk(key: PrivateKey, **fields: Any) -> dict[str, Any]:
    """A public key as a set has it."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        made = OKPAlgorithm.to_jwk(public, as_dict=True)  # type: ignore[arg-type]
    elif isinstance(key, EllipticCurvePrivateKey):
        made = ECAlgorithm.to_jwk(public, as_dict=True)  # type: ignore[arg-type]
    else:
        made = RSAAlgorithm.to_jwk(public, as_dict=True)  # type: ignore[arg-type]
        made.pop("key_ops", None)
    return {**made, **fields}


def jwk_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """A token's claims, a quarter of an hour around `NOW`; a claim that is None is left out."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": ANNOTATOR,
        "role": "Validator",
        "iat": NOW - 60,
        "nbf": NOW - 60,
        "exp": NOW + 840,
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def token(
    said: dict[str, Any] | None = None,
    *,
    key: PrivateKey = ED25519,
    algorithm: str = "EdDSA",
    kid: str | None = "ed",
    **header: Any,
) -> str:
    headers = header | ({"kid": kid} if kid is not None else {})
    return jwt.encode(claims() if said is None else said, key, algorithm, headers=headers)


def forged(header: dict[str, Any], said: dict[str, Any], secret: bytes | None) -> str:
    """What no library signs: with nothing, or with a public key as a shared secret."""
    parts = [_base64(json.dumps(part).encode()) for part in (header, said)]
    text = ".".join(parts)
    signature = b"" if secret is None else hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{_base64(signature)}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
