"""Who made an annotation, and in what role: proven, or not, and why not.

Times are judged by the broker's clock, which said when it took the message, so that a router that
lags behind, or files anew, decides the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from sealyard.annotations.journal import Identity
from sealyard.annotations.message import Annotation
from sealyard.api.annotation_route import IdentitySpec
from sealyard_router.delivery import Delivery
from sealyard_router.identity_keys import KeySet

LEEWAY_SECONDS: Final = 30
MAX_TOKEN_SECONDS: Final = 86_400
"""A token that is good for longer is a password that stands in every message."""
_LAST: Final = 253_402_300_800
"""The end of the year 9999, in seconds since the epoch."""
_ROLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Proven:
    """The annotator has this role."""

    role: str


@dataclass(frozen=True, slots=True)
class Unproven:
    """Whoever it was: nobody knows. The reason is one line, without any part of a token."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token in the message counts.

    Attributes:
        keys: whose signatures count.
        audience: that a token must be for.
        issuer: that it must be from; anybody in the set where None.
    """

    keys: KeySet
    audience: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerUsers:
    """The user whom the broker has checked counts; the role of each."""

    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a message says of itself counts."""


IdentityRule = Tokens | BrokerUsers | Trusted


def name_of(rule: IdentityRule) -> Identity:
    """As the journal has it."""
    if isinstance(rule, Tokens):
        return "jwt"
    return "brokerUser" if isinstance(rule, BrokerUsers) else "Trusted"


def identity_rule(spec: IdentitySpec, keys: KeySet | None) -> IdentityRule:
    """What a route's `identity` asks for.

    Args:
        spec: as the API server has checked it: exactly one of the three.
        keys: of the mounted set, where tokens count.
    """
    if spec.jwt is not None and keys is not None:
        return Tokens(keys, spec.jwt.audience, spec.jwt.issuer)
    if spec.broker_user is not None:
        return BrokerUsers({entry.user: entry.role for entry in spec.broker_user.roles})
    return Trusted() if spec.claim == "Trusted" else BrokerUsers({})


def judge(annotation: Annotation, delivery: Delivery, rule: IdentityRule) -> Proven | Unproven:
    """Whether the annotator's role is proven."""
    if isinstance(rule, Tokens):
        return _by_token(annotation, delivery.time_ms / 1000, rule)
    if isinstance(rule, BrokerUsers):
        return _by_broker(delivery.user_id, rule)
    if annotation.role is None:
        return Unproven("the message names no role")
    return Proven(annotation.role)


def _by_broker(user: str | None, rule: BrokerUsers) -> Proven | Unproven:
    if user is None:
        return Unproven("the message has no user id; publish it through an exchange, with one")
    role = rule.roles.get(user)
    if role is None:
        return Unproven(f"the broker's user {ascii(user)[:80]} has no role in this route")
    return Proven(role)


def _by_token(annotation: Annotation, taken_at: float, rule: Tokens) -> Proven | Unproven:
    if annotation.proof is None:
        return Unproven("the message has no token")
    try:
        claims = _verified(annotation.proof.jwt, rule)
        _check_times(claims, taken_at)
    except _RefusedTokenError as error:
        return Unproven(f"the token {error}")
    if claims.get("sub") != annotation.annotator:
        return Unproven("the token is of another subject than the annotator")
    role = claims.get("role")
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        return Unproven("the token names no role")
    return Proven(role)


class _RefusedTokenError(Exception):
    """Says why, to follow `the token `."""


def _verified(token: str, rule: Tokens) -> dict[str, Any]:
    """What a token says, once signature, audience and issuer are as they must be."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _RefusedTokenError("is no JSON Web Token") from None
    kid = header.get("kid")
    key = rule.keys.find(kid) if kid is None or isinstance(kid, str) else None
    if key is None:
        raise _RefusedTokenError("names no key of the set")
    if header.get("alg") != key.algorithm:
        raise _RefusedTokenError(f"is not signed as its key signs ({key.algorithm})")
    try:
        return jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=rule.audience,
            issuer=rule.issuer,
            # The times are checked against the broker's clock, not ours.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "require": ["exp", "iat", "sub", "aud"],
            },
        )
    except jwt.InvalidSignatureError:
        raise _RefusedTokenError("has a signature that is not its key's") from None
    except (jwt.InvalidAudienceError, jwt.InvalidIssuerError) as error:
        name = "audience" if isinstance(error, jwt.InvalidAudienceError) else "issuer"
        raise _RefusedTokenError(f"has another {name} than the route") from None
    except jwt.MissingRequiredClaimError as error:
        raise _RefusedTokenError(f"has no {error.claim}") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _RefusedTokenError("is not valid") from None


def _check_times(claims: Mapping[str, Any], taken_at: float) -> None:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if expires - issued > MAX_TOKEN_SECONDS:
        raise _RefusedTokenError(
            f"is good for {expires - issued:.0f} s, may be for {MAX_TOKEN_SECONDS}"
        )
    if taken_at >= expires + LEEWAY_SECONDS:
        raise _RefusedTokenError("had expired when the broker took the message")
    if taken_at < max(issued, begins) - LEEWAY_SECONDS:
        raise _RefusedTokenError(
            "was not valid yet when the broker took the message; compare the clocks"
        )


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST:
        raise _RefusedTokenError(f"has no time as {name}")
    return float(value)
