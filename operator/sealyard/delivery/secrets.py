"""What was mounted from Secrets, read when it is needed and shown to nobody.

Each key is a file. It is read anew at every use, because the kubelet follows a Secret that changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.keyring import KEYRING_MAX_BYTES, Keyring

_VALUE_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and its secret: email and password, or access key id and secret access key."""

    name: str = field(repr=False)
    secret: str = field(repr=False)

    def fingerprint(self) -> bytes:
        """Tells whether two pairs are the same without keeping one."""
        return hashlib.sha256(f"{self.name}\0{self.secret}".encode()).digest()


class CdnCredential(Protocol):
    """Both keys of a credential for the CDN: `SecretFiles`, or what a device has sealed."""

    @property
    def purpose(self) -> Purpose:
        """Which of the credentials it is."""

    @property
    def source(self) -> str:
        """What a user calls it in messages."""

    def pair(self) -> Pair:
        """The two keys.

        Raises:
            MissingError, InvalidError: one is missing, or is none.
        """


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """The keys of one purpose in a folder.

    Attributes:
        purpose: which keys.
        folder: where they lie, one file each.
        source: what a user calls it in messages, such as `Secret cdn-write`.
    """

    purpose: Purpose
    folder: Path
    source: str

    @classmethod
    def mounted(cls, purpose: Purpose, secrets: Path, secret_name: str) -> Self:
        """As the operator mounts them: a folder for each purpose."""
        return cls(purpose, secrets / purpose.value, f"Secret {secret_name}")

    def pair(self) -> Pair:
        """The two keys of a login or a credential.

        Raises:
            MissingError: a key is missing or empty.
            InvalidError: a key is no single line of text.
        """
        name, secret = SECRET_USES[self.purpose].keys
        return Pair(self._line(name), self._line(secret))

    def keyring(self) -> Keyring:
        """The keyring in `keyring.json`.

        Raises:
            MissingError: it is missing or empty.
            InvalidError: it is no keyring.
        """
        raw = self.content(KEYRING_MAX_BYTES)
        try:
            return Keyring.parse(raw)
        except InvalidError as error:
            raise InvalidError(f"{self.content_source}: {error}") from None

    def content(self, limit: int) -> bytes:
        """What the one key of a purpose holds that has no other.

        Args:
            limit: the most bytes that it may have.

        Raises:
            MissingError: it is missing or empty.
            InvalidError: it is longer.
        """
        (key,) = SECRET_USES[self.purpose].keys
        return self._bytes(key, limit)

    @property
    def content_source(self) -> str:
        """What a user calls the one key of such a purpose."""
        (key,) = SECRET_USES[self.purpose].keys
        return f"{self.source}, key {key}"

    def _line(self, key: str) -> str:
        raw = self._bytes(key, _VALUE_MAX_BYTES)
        try:
            # An editor's or echo's line end is not part of a secret.
            text = raw.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            text = ""
        if not text or not text.isprintable():
            raise InvalidError(f"{self.source}, key {key}: must be one line of UTF-8 text")
        return text

    def _bytes(self, key: str, limit: int) -> bytes:
        try:
            with (self.folder / key).open("rb") as file:
                raw = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(f"{self.source} has no key {key}; add it") from None
        except OSError as error:
            raise MissingError(
                f"{self.source}, key {key}: cannot be read ({error.strerror})"
            ) from None
        if not raw.strip():
            raise MissingError(f"{self.source}: key {key} is empty; fill it in")
        if len(raw) > limit:
            raise InvalidError(f"{self.source}, key {key}: longer than {limit} bytes")
        return raw
