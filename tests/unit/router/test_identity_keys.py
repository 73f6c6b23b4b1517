"""Which keys of a mounted set count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa

from sealyard.api.secrets import Purpose
from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import InvalidError, MissingError
from sealyard_router.identity_keys import KeySetFile, parse_key_set
from support.identities import ED25519, OTHER_ED25519, P256, RSA, jwk, jwk_set

ED = jwk(ED25519, kid="ed")


def test_the_type_of_a_key_says_how_it_signs() -> None:
    keys = parse_key_set(jwk_set(ED, jwk(P256, kid="ec", use="sig"), jwk(RSA, kid="rsa"))).keys
    assert {kid: key.algorithm for kid, key in keys.items()} == {
        "ed": "EdDSA",
        "ec": "ES256",
        "rsa": "RS256",
    }


IGNORED: dict[str, dict[str, Any]] = {
    "for encryption": jwk(RSA, kid="enc", use="enc"),
    "for another algorithm": jwk(RSA, kid="rs512", alg="RS512"),
    "on another curve": jwk(new_ec(SECP384R1()), kid="p384"),
    "of an unknown type": {"kty": "AKP", "kid": "new"},
    "of no type": {"kid": "none"},
    "of an odd type": {"kty": ["RSA"], "crv": {}},
}


@pytest.mark.parametrize("case", IGNORED)
def test_a_key_that_does_not_count(case: str) -> None:
    assert set(parse_key_set(jwk_set(IGNORED[case], ED)).keys) == {"ed"}
    with pytest.raises(InvalidError, match="keys: has none that verifies EdDSA"):
        parse_key_set(jwk_set(IGNORED[case]))


REFUSED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"keys", "must be JSON: a JSON Web Key Set"),
    "a key alone": (json.dumps(ED).encode(), "keys: must be a list of 1 to 64 keys"),
    "no key": (jwk_set(), "keys: must be a list of 1 to 64 keys"),
    "too many": (jwk_set(*[ED] * 65), "keys: must be a list of 1 to 64 keys"),
    "no object": (b'{"keys":["a"]}', r"keys\.0: must be an object"),
    "a shared secret": (
        jwk_set(ED, {"kty": "oct", "k": "AAAA"}),
        r"keys\.1: is a private or shared key; only public keys belong here",
    ),
    "a private key": (jwk_set(ED | {"d": "AAAA"}), r"keys\.0: is a private or shared key"),
    "no key of its kind": (jwk_set(ED | {"x": "AA"}), r"keys\.0: is no key of its kind \(OKP\)"),
    "half a key": (
        jwk_set({"kty": "RSA", "kid": "a", "n": "AQ"}),
        r"keys\.0: is no key of its kind \(RSA\)",
    ),
    "a weak one": (
        jwk_set(jwk(new_rsa(65537, 1024), kid="a")),  # noqa: S505
        r"keys\.0: an RSA key of 1024 bits; must have 2048 or more",
    ),
    "a name twice": (jwk_set(ED, jwk(OTHER_ED25519, kid="ed")), r"keys\.1\.kid: stands twice"),
    "no names": (jwk_set(jwk(ED25519), jwk(P256)), r"keys\.1\.kid: stands twice, or is missing"),
    "a name too few": (jwk_set(jwk(ED25519), jwk(P256, kid="a")), "keys: each needs a kid where"),
    "a number for a name": (jwk_set(ED | {"kid": 7}), r"keys\.0\.kid: must be a text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    raw, said = REFUSED[case]
    with pytest.raises(InvalidError, match=said):
        parse_key_set(raw)


def test_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    files = SecretFiles.mounted(Purpose.IDENTITY_KEYS, tmp_path, "keys")
    keys = KeySetFile(files)
    with pytest.raises(MissingError, match=r"Secret keys has no key identity-keys\.json; add it"):
        keys.current()
    file = tmp_path / "identity-keys" / "identity-keys.json"
    file.parent.mkdir()
    file.write_bytes(jwk_set(ED))
    first = keys.current()
    assert keys.current() is first
    file.write_bytes(jwk_set(jwk(P256, kid="ec")))
    assert set(keys.current().keys) == {"ec"}
    file.write_bytes(b"{}")
    with pytest.raises(InvalidError, match=r"Secret keys, key identity-keys\.json: keys: must be "):
        keys.current()
