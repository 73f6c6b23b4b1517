"""Bearer tokens: EdDSA JWTs, signed and verified with the keys of `jwt-keys.json` only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealyard.api.release_api import ANNOTATIONS_AUDIENCE, TOKEN_MAX_CHARS
from sealyard.errors import InvalidError
from sealyard_release_api.accounts import first_fault
from sealyard_release_api.roles import Principal

MAX_TOKEN_SECONDS = 900
LEEWAY_SECONDS = 30

KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Party = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]


class KeyEntry(BaseModel):
    """An Ed25519 key: its 32-byte seed in base64."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    seed: Annotated[str, Field(repr=False)]


class KeysFile(BaseModel):
    """`jwt-keys.json`: `active` signs, and every key in it verifies."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: Party
    audience: Party
    active: KeyId
    keys: Annotated[dict[KeyId, KeyEntry], Field(min_length=1, max_length=8)]


class Claims(BaseModel):
    """What a token says, all of it checked strictly. Times are Unix seconds."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    iss: str
    aud: str
    sub: str
    role: Literal["Admin", "Publisher", "Verifier", "Device", "Validator", "Operator"]
    models: list[str]
    generation: str
    iat: int
    nbf: int
    exp: int


class TokenError(Exception):
    """A token is not to be trusted; the message says why, in words fit for a client."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The local keys, and whom their tokens are from and for.

    Attributes:
        issuer: in every token.
        audience: in every token.
        active: names the key that signs.
        signing: that key.
        verifying: all of them, public.
        challenging: a MAC key made of each, for the nonces of devices: so all replicas have them.
    """

    issuer: str
    audience: str
    active: str
    signing: Ed25519PrivateKey
    verifying: Mapping[str, Ed25519PublicKey]
    challenging: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes, *, issuer: str | None = None) -> KeySet:
        """Read `jwt-keys.json`.

        Args:
            raw: the file.
            issuer: stands in for the file's issuer.

        Raises:
            InvalidError: naming the field that is wrong, never its value.
        """
        try:
            parsed = KeysFile.model_validate_json(raw)
        except ValidationError as error:
            raise InvalidError(f"jwt-keys.json: {first_fault(error)}") from None
        if parsed.audience == ANNOTATIONS_AUDIENCE:
            raise InvalidError(
                f"jwt-keys.json: audience: {ANNOTATIONS_AUDIENCE} is for tokens that stand in "
                "messages, and must open nothing here; take another"
            )
        keys = {kid: _private_key(kid, entry.seed) for kid, entry in parsed.keys.items()}
        if parsed.active not in keys:
            raise InvalidError(
                f"jwt-keys.json: active: {parsed.active!r} is not in keys, "
                f"which has {', '.join(sorted(keys))}"
            )
        return cls(
            issuer=issuer or parsed.issuer,
            audience=parsed.audience,
            active=parsed.active,
            signing=keys[parsed.active],
            verifying={kid: key.public_key() for kid, key in keys.items()},
            challenging={kid: _challenging_key(key) for kid, key in keys.items()},
        )

    def issue(self, principal: Principal, *, generation: str, now: int, seconds: int) -> str:
        """A token for whoever it is, good from `now` for `seconds` (at most 15 minutes)."""
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": principal.name,
            "role": principal.role.value,
            "models": list(principal.models),
            "generation": generation,
            "iat": now,
            "nbf": now,
            "exp": now + min(seconds, MAX_TOKEN_SECONDS),
        }
        return self._signed(claims)

    def issue_identity(self, principal: Principal, *, now: int, seconds: int) -> str:
        """A token that proves to an annotation route who annotated, and opens nothing here."""
        return self._signed(
            {
                "iss": self.issuer,
                "aud": ANNOTATIONS_AUDIENCE,
                "sub": principal.name,
                "role": principal.role.value,
                "iat": now,
                "nbf": now,
                "exp": now + min(seconds, MAX_TOKEN_SECONDS),
            }
        )

    def public_set(self) -> str:
        """The JSON Web Key Set that verifies the tokens: an annotation route's
        `identity-keys.json`."""
        keys = [
            {
                **OKPAlgorithm.to_jwk(key, as_dict=True),
                "kid": kid,
                "use": "sig",
                "alg": "EdDSA",
            }
            for kid, key in sorted(self.verifying.items())
        ]
        return json.dumps({"keys": keys}, indent=2) + "\n"

    def _signed(self, claims: Mapping[str, object]) -> str:
        return jwt.encode(
            dict(claims), self.signing, algorithm="EdDSA", headers={"kid": self.active}
        )

    def verify(self, token: str, *, now: float) -> Claims:
        """What a token says, once its signature, parties and times are proven.

        Whether its account still has the token's generation is for the caller to check.

        Raises:
            TokenError: it is not one of ours, or not of now.
        """
        if len(token) > TOKEN_MAX_CHARS:
            raise TokenError("the token is too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self.verifying.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise TokenError("the token is not signed by a key of this server")
            # The times are checked below, against the caller's clock.
            payload = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=self.audience,
                issuer=self.issuer,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            claims = Claims.model_validate(payload)
        except jwt.InvalidAudienceError:
            raise TokenError("the token is for another audience") from None
        except jwt.InvalidIssuerError:
            raise TokenError("the token is from another issuer") from None
        except (jwt.PyJWTError, ValidationError, ValueError):
            raise TokenError("the token is not valid") from None
        _check_times(claims, now)
        return claims


def _check_times(claims: Claims, now: float) -> None:
    if claims.exp - claims.iat > MAX_TOKEN_SECONDS:
        raise TokenError(f"the token is good for longer than {MAX_TOKEN_SECONDS} s")
    if now >= claims.exp + LEEWAY_SECONDS:
        raise TokenError("the token has expired")
    if now < max(claims.iat, claims.nbf) - LEEWAY_SECONDS:
        raise TokenError("the token is of the future; compare the clocks")


def new_key_set(
    issuer: str = "sealyard-release-api", audience: str = "sealyard-release-api"
) -> str:
    """The text of a `jwt-keys.json` with one new key, named after its public half."""
    seed = os.urandom(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    kid = hashlib.sha256(public).hexdigest()[:16]
    document = KeysFile(
        issuer=issuer,
        audience=audience,
        active=kid,
        keys={kid: KeyEntry(seed=base64.b64encode(seed).decode())},
    )
    return json.dumps(document.model_dump(), indent=2) + "\n"


def _challenging_key(key: Ed25519PrivateKey) -> bytes:
    return hmac.digest(key.private_bytes_raw(), b"sealyard/challenge/v1\0", "sha256")


def _private_key(kid: str, seed: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True))
    except (binascii.Error, ValueError):
        raise InvalidError(f"jwt-keys.json: keys.{kid}.seed: must be 32 bytes in base64") from None
