"""Who logs in at the release API: an account of a person or a Job here; a device has its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import ValidationError

from sealyard.api.release_api import LOGIN_PATH, LoginRequest, LoginResponse, WireModel
from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import InvalidError

WireT = TypeVar("WireT", bound=WireModel)


class Door(Protocol):
    """What an account may ask of the release API before it has a token."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def url(self) -> str:
        """Where it is."""

    def post(self, path: str, what: str, body: WireModel | None, kind: type[WireT]) -> WireT:
        """One POST without a token, and what is answered.

        Raises:
            RefusedError: the account is not let in.
            TransientError: the login may succeed if it is begun anew.
            UnavailableError: there is no such answer.
        """


class Account(Protocol):
    """Proves who it is."""

    @property
    def source(self) -> str:
        """What its secret is called in messages."""

    @property
    def advice(self) -> str:
        """What to do where it is not let in."""

    def fingerprint(self) -> bytes:
        """Tells whether a login that was refused may be tried again: its secret is another one.

        Raises:
            MissingError, InvalidError: there is no secret that could serve.
        """

    def log_in(self, door: Door) -> LoginResponse:
        """A new token, by one attempt: a nonce is good once, so what fails is begun anew.

        Raises:
            RefusedError: it is not let in.
            TransientError: another attempt may succeed.
            UnavailableError: the release API does not answer as it should.
        """


@dataclass(frozen=True, slots=True)
class PasswordAccount:
    """Email and password, read from files whenever a login is due."""

    files: SecretFiles

    @property
    def source(self) -> str:
        """Where the files are from."""
        return self.files.source

    @property
    def advice(self) -> str:
        """What to do where it is not let in."""
        return "correct its email and password"

    def fingerprint(self) -> bytes:
        """Of both."""
        return self.files.pair().fingerprint()

    def log_in(self, door: Door) -> LoginResponse:
        """With both.

        Raises:
            InvalidError: one is longer or shorter than a login may have.
        """
        pair = self.files.pair()
        # Raised outside of the handler: a context would carry what pydantic was given.
        request = None
        with contextlib.suppress(ValidationError):
            request = LoginRequest(email=pair.name, password=pair.secret)
        if request is None:
            raise InvalidError(
                f"{self.source}: email or password is longer or shorter than {door.name} can take"
            )
        return door.post(LOGIN_PATH, "the login", request, LoginResponse)
