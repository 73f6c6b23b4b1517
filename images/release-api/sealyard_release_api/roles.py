"""Who may do what: the roles of contracts.md section 6, and whoever asks under one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account, or a device, is for."""

    ADMIN = "Admin"
    PUBLISHER = "Publisher"
    VERIFIER = "Verifier"
    DEVICE = "Device"
    VALIDATOR = "Validator"
    OPERATOR = "Operator"


ACCOUNT_ROLES = tuple(role for role in Role if role is not Role.DEVICE)
"""What an account may be. A device has no account: its keys are registered instead."""

ANNOTATOR_ROLES = frozenset({Role.VALIDATOR, Role.OPERATOR, Role.ADMIN})
"""Who gets tokens that prove to an annotation route who annotated."""


class Action(StrEnum):
    """What a request does; also the `event` in the audit log."""

    LOGIN = "login"
    PUT_SMALL = "put-small"
    GET_SMALL = "get-small"
    PUT_MANIFEST = "put-manifest"
    GET_MANIFEST = "get-manifest"
    LIST = "list-releases"
    LIST_USERS = "list-users"
    SET_USER_STATE = "set-user-state"
    PUT_DEVICES = "put-devices"
    PUT_DEVICE = "put-device"
    LIST_DEVICES = "list-devices"
    CHALLENGE = "device-challenge"
    DEVICE_LOGIN = "device-login"
    PUT_REPORT = "put-report"
    PUT_GRANTS = "put-grants"
    GRANTS_DIGEST = "grants-digest"
    LIST_GRANTS = "list-grants"
    DROP_GRANTS = "drop-grants"
    GRANTED_VARIANTS = "list-granted-variants"
    PUT_METADATA = "put-metadata"
    GET_METADATA = "get-metadata"
    PUT_TARGET = "put-target"
    GET_TARGET = "get-target"


WITHOUT_TOKEN = frozenset({Action.LOGIN, Action.CHALLENGE, Action.DEVICE_LOGIN})
"""What somebody asks who has no token yet."""

INDEX_READS = frozenset({Action.GET_METADATA, Action.GET_TARGET})
"""The signed index names every model to whoever has a login, and so are its files for all."""

OF_ALL_MODELS = frozenset({Action.PUT_METADATA})
"""The signed index lists every model, so only an account of all of them writes what it says."""

ALLOWED: Mapping[Role, frozenset[Action]] = {
    # Neither reads nor publishes: what an Admin's password opens, it shows or shuts.
    Role.ADMIN: INDEX_READS
    | {
        Action.LIST_USERS,
        Action.SET_USER_STATE,
        Action.PUT_DEVICES,
        Action.PUT_DEVICE,
        Action.LIST_DEVICES,
    },
    Role.PUBLISHER: INDEX_READS
    | {
        Action.PUT_SMALL,
        Action.PUT_MANIFEST,
        Action.GET_MANIFEST,
        Action.LIST,
        Action.PUT_DEVICES,
        Action.PUT_DEVICE,
        Action.LIST_DEVICES,
        Action.PUT_GRANTS,
        Action.GRANTS_DIGEST,
        Action.LIST_GRANTS,
        Action.DROP_GRANTS,
        Action.GRANTED_VARIANTS,
        Action.PUT_METADATA,
        Action.PUT_TARGET,
    },
    Role.VERIFIER: INDEX_READS
    | {
        Action.GET_SMALL,
        Action.GET_MANIFEST,
        Action.LIST,
        Action.LIST_DEVICES,
        Action.GRANTS_DIGEST,
        Action.LIST_GRANTS,
        Action.GRANTED_VARIANTS,
    },
    Role.DEVICE: INDEX_READS | {Action.GET_SMALL, Action.GET_MANIFEST, Action.PUT_REPORT},
    # Annotators: of a release they need nothing.
    Role.VALIDATOR: frozenset(),
    Role.OPERATOR: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever a request is from, as they are now.

    Attributes:
        name: an account's email, or a device's id.
        role: what it may do.
        models: names, prefixes followed by `*`, or `*` for all.
    """

    name: str
    role: Role
    models: tuple[str, ...]

    def may(self, action: Action, model: str | None = None) -> bool:
        """Whether the role allows the action, and the models the model if one is given."""
        return action in ALLOWED[self.role] and (model is None or self.covers(model))

    @property
    def covers_all(self) -> bool:
        """Whether the models are all that there are and will be."""
        return "*" in self.models

    def covers(self, model: str) -> bool:
        """Whether the model is among the models."""
        return any(_matches(pattern, model) for pattern in self.models)


def _matches(pattern: str, model: str) -> bool:
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return model == pattern
