"""What an account is: its role, models and argon2id hash, and the form of `users.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from sealyard.errors import InvalidError
from sealyard_release_api.roles import ACCOUNT_ROLES, ANNOTATOR_ROLES, Principal, Role

PASSWORD_MIN = 12
# OWASP's floor for argon2id: 19 MiB, two passes, one lane; about 40 ms on a core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A hash costs what its own parameters say: a file must not be able to stop the server.
_MAX_MEMORY_KIB = 256 * 1024
_MAX_PASSES = 16
_USERS_MAX = 1000


def normal_email(email: str) -> str:
    """The form under which an account is looked up."""
    return email.strip().lower()


def _acceptable_email(email: str) -> str:
    normal = normal_email(email)
    local, at, domain = normal.partition("@")
    if not (local and at and domain) or any(c.isspace() or not c.isprintable() for c in normal):
        raise ValueError("must be an email address")
    return normal


def _acceptable_hash(phc: str) -> str:
    try:
        parameters = extract_parameters(phc)
    except InvalidHashError:
        raise ValueError("must be an argon2id PHC string, as hash-password prints it") from None
    if parameters.type is not Type.ID:
        raise ValueError("must be argon2id")
    if parameters.memory_cost > _MAX_MEMORY_KIB or parameters.time_cost > _MAX_PASSES:
        raise ValueError(f"must cost at most m={_MAX_MEMORY_KIB} (KiB) and t={_MAX_PASSES}")
    return phc


def _of_an_account(role: object) -> object:
    if role not in ACCOUNT_ROLES:
        raise ValueError(f"must be one of {', '.join(ACCOUNT_ROLES)}")
    return role


ModelPattern = Annotated[
    str, Field(pattern=r"^(\*|[a-z0-9][-a-z0-9]{0,61}\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$")
]
"""A model's name, a prefix of names followed by `*`, or `*` for all."""


class User(BaseModel):
    """An account: one entry of `users.json`, or of the database."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    email: Annotated[str, Field(max_length=254), AfterValidator(_acceptable_email)]
    role: Annotated[Role, BeforeValidator(_of_an_account)]
    models: Annotated[tuple[ModelPattern, ...], Field(max_length=64, validate_default=True)] = ()
    password_hash: Annotated[
        str, Field(max_length=512, repr=False), AfterValidator(_acceptable_hash)
    ]

    @field_validator("models")
    @classmethod
    def _something_to_work_on(
        cls, models: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        if not models and info.data.get("role") not in ANNOTATOR_ROLES:
            raise ValueError("must name at least one model")
        return models

    def generation(self, changes: int) -> str:
        """Changes whenever anything of the entry does, and with it every token ends.

        The hash's salt is random, so nothing about the password can be learned from it.

        Args:
            changes: how often the account was changed in the database, so that one that is as it
                was before is yet another.
        """
        facts = f"{changes} {self.model_dump_json(by_alias=True)}"
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    @property
    def principal(self) -> Principal:
        """Who asks, once the account is proven."""
        return Principal(self.email, self.role, self.models)


class UsersFile(BaseModel):
    """`users.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    users: Annotated[tuple[User, ...], Field(min_length=1, max_length=_USERS_MAX)]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of `users.json`, by their normal email.

    Attributes:
        users: the accounts.
        decoy: a hash that no password has, as costly as the costliest of the accounts', so that
            an unknown email takes as long as a wrong password.
    """

    users: Mapping[str, User]
    decoy: str

    @classmethod
    def parse(cls, raw: bytes) -> Accounts:
        """Read `users.json`.

        Raises:
            InvalidError: naming the field that is wrong, never its value.
        """
        try:
            parsed = UsersFile.model_validate_json(raw)
        except ValidationError as error:
            raise InvalidError(f"users.json: {first_fault(error)}") from None
        users = {user.email: user for user in parsed.users}
        if len(users) != len(parsed.users):
            raise InvalidError("users.json: users: each email must stand there once")
        costliest = max(
            (extract_parameters(user.password_hash) for user in parsed.users),
            key=lambda p: p.memory_cost * p.time_cost,
        )
        decoy = PasswordHasher.from_parameters(costliest).hash(hashlib.sha256(raw).digest())
        return cls(users, decoy)

    def proves(self, user: User | None, password: str) -> bool:
        """Whether the password is the account's. Costs about the same if there is no account.

        Blocks for the time of one argon2 hash, outside of the interpreter's lock.
        """
        try:
            _HASHER.verify(user.password_hash if user is not None else self.decoy, password)
        except (VerificationError, InvalidHashError):
            return False
        return user is not None


def hash_password(password: str) -> str:
    """The argon2id PHC string of a password.

    Raises:
        InvalidError: it is shorter than 12 characters, or longer than a login may carry.
    """
    if not PASSWORD_MIN <= len(password) <= 1024:
        raise InvalidError(f"password: must have {PASSWORD_MIN} to 1024 characters")
    return _HASHER.hash(password)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be, with its password in clear: for whoever writes a `users.json`."""

    email: str
    role: str
    models: Sequence[str]
    password: str = field(repr=False)

    def hashed(self) -> User:
        """The entry for `users.json`.

        Raises:
            InvalidError: naming the field that is wrong, never the password.
        """
        try:
            return User(
                email=self.email,
                role=Role(self.role),
                models=tuple(self.models),
                password_hash=hash_password(self.password),
            )
        except ValidationError as error:
            raise InvalidError(f"user {self.email!r}: {first_fault(error)}") from None
        except ValueError:
            roles = ", ".join(ACCOUNT_ROLES)
            raise InvalidError(
                f"user {self.email!r}: role: {self.role!r} must be one of {roles}"
            ) from None


def users_document(users: Iterable[User | NewUser]) -> str:
    """The text of a `users.json`.

    Raises:
        InvalidError: an account of `NewUser` is not as it must be.
    """
    entries = tuple(user.hashed() if isinstance(user, NewUser) else user for user in users)
    document = UsersFile(users=entries).model_dump(mode="json", by_alias=True)
    return json.dumps(document, indent=2) + "\n"


def first_fault(error: ValidationError) -> str:
    """One line about the first fault that pydantic found: where and why, never the value."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        return "is not JSON"
    where = ".".join(str(step) for step in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
