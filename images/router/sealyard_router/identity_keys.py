"""The keys that prove who annotated: a JSON Web Key Set (RFC 7517) of public keys, mounted.

A key says by its type which signature counts, and a token does not: so none can be signed with a
public key as if it were a shared secret, nor with nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import InvalidError

MAX_BYTES: Final = 256 << 10
MAX_KEYS: Final = 64
_MIN_RSA_BITS: Final = 2048

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key.

    Attributes:
        algorithm: the one whose signatures it verifies, as a token's `alg` names it.
    """

    algorithm: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys, by their `kid`; the only one may have none."""

    keys: dict[str | None, VerifyingKey]

    def find(self, kid: str | None) -> VerifyingKey | None:
        """The key that a token names; the only one, where it names none or that has no name."""
        if len(self.keys) == 1:
            ((name, key),) = self.keys.items()
            return key if None in {kid, name} or kid == name else None
        return self.keys.get(kid) if kid is not None else None


def parse_key_set(raw: bytes) -> KeySet:
    """The keys that count. Those for encryption, and of kinds that are not used here, do not.

    Args:
        raw: `{"keys": […]}`.

    Raises:
        InvalidError: it is no set, has a private or shared key, or none that counts; names the key.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidError("must be JSON: a JSON Web Key Set") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_KEYS:
        raise InvalidError(f"keys: must be a list of 1 to {MAX_KEYS} keys")
    keys: dict[str | None, VerifyingKey] = {}
    for number, entry in enumerate(entries):
        found = _verifying_key(f"keys.{number}", entry)
        if found is None:
            continue
        kid = entry.get("kid")
        if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= 255):
            raise InvalidError(f"keys.{number}.kid: must be a text")
        if kid in keys:
            raise InvalidError(f"keys.{number}.kid: stands twice, or is missing in several keys")
        keys[kid] = found
    if not keys:
        raise InvalidError("keys: has none that verifies EdDSA (Ed25519), ES256 or RS256")
    if None in keys and len(keys) > 1:
        raise InvalidError("keys: each needs a kid where there are several")
    return KeySet(keys)


def _verifying_key(where: str, entry: Any) -> VerifyingKey | None:
    if not isinstance(entry, dict):
        raise InvalidError(f"{where}: must be an object")
    if entry.get("kty") == "oct" or "d" in entry:
        raise InvalidError(
            f"{where}: is a private or shared key; only public keys belong here, and this one is "
            "known to whoever may read the Secret"
        )
    kind = _KINDS.get(f"{entry.get('kty')} {entry.get('crv', '')}".strip())
    if kind is None or entry.get("use", "sig") != "sig":
        return None
    algorithm, load = kind
    if entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = load(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise InvalidError(f"{where}: is no key of its kind ({entry['kty']})") from None
    if not isinstance(key, PublicKey):
        raise InvalidError(f"{where}: is no public key")
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise InvalidError(
            f"{where}: an RSA key of {key.key_size} bits; must have {_MIN_RSA_BITS} or more"
        )
    return VerifyingKey(algorithm, key)


_KINDS: Final[dict[str, tuple[str, Callable[[dict[str, Any]], object]]]] = {
    "OKP Ed25519": ("EdDSA", OKPAlgorithm.from_jwk),
    "EC P-256": ("ES256", ECAlgorithm.from_jwk),
    "RSA": ("RS256", RSAAlgorithm.from_jwk),
}


class KeySetFile:
    """The mounted set, read anew as soon as it changes.

    Args:
        files: where it is mounted.
    """

    def __init__(self, files: SecretFiles) -> None:
        self._files = files
        self._seen: tuple[bytes, KeySet] | None = None

    def current(self) -> KeySet:
        """The keys as they are now. What is wrong with them stops the filing: with the old ones,
        whose key was just taken out would still be believed.

        Raises:
            MissingError, InvalidError: there are none, or they are none.
        """
        raw = self._files.content(MAX_BYTES)
        if self._seen is None or self._seen[0] != raw:
            try:
                self._seen = (raw, parse_key_set(raw))
            except InvalidError as error:
                raise InvalidError(f"{self._files.content_source}: {error}") from None
        return self._seen[1]
