"""Level `keystore`: keys that follow from a key which somebody else keeps.

Either a mounted file (from a HSM's agent, a Secret, a USB stick), or an entry in the system's
keyring, which the library `keyring` reaches (extra `keystore`).
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sealyard.device.level import SECRET_BYTES, LevelName
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.resource import ResourceKeys

KEYRING_SERVICE: Final = "sealyard"
_FILE_MAX_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key in a file: 32 bytes, or their hex or base64."""

    path: Path

    def create(self) -> None:
        """Nothing: the file is there, or `read` says so."""
        self.read()

    def read(self) -> bytes:
        """The key.

        Raises:
            MissingError: it cannot be read.
            InvalidError: it holds no key.
        """
        try:
            with self.path.open("rb") as file:
                raw = file.read(_FILE_MAX_BYTES)
        except OSError as error:
            raise MissingError(f"keystore {self.path}: cannot be read ({error.strerror})") from None
        key = raw if len(raw) == SECRET_BYTES else _decoded(raw.strip())
        if key is None or len(key) != SECRET_BYTES:
            raise InvalidError(
                f"keystore {self.path}: must hold {SECRET_BYTES} bytes, or their hex or base64"
            )
        return key


@dataclass(frozen=True, slots=True)
class SystemKeyring:
    """An entry of the system's keyring, made by `create`.

    Attributes:
        entry: its user name there; the service is `KEYRING_SERVICE`.
    """

    entry: str

    def create(self) -> None:
        """Put a new key there, unless there is one.

        Raises:
            MissingError: no keyring can be reached.
        """
        if self._asked("get_password") is None:
            key = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
            self._asked("set_password", key)

    def read(self) -> bytes:
        """The key.

        Raises:
            MissingError: no keyring can be reached, or it has no such entry.
            InvalidError: the entry is no key.
        """
        text = self._asked("get_password")
        if text is None:
            raise MissingError(
                f"keystore: the system's keyring has no entry {self.entry} of {KEYRING_SERVICE}; "
                "was it unlocked for this user?"
            )
        key = _decoded(text.encode())
        if key is None or len(key) != SECRET_BYTES:
            raise InvalidError(f"keystore: entry {self.entry} of the system's keyring is no key")
        return key

    def _asked(self, action: str, *arguments: str) -> str | None:
        library = _keyring_library()
        failure: str | None = None
        try:
            answer: str | None = getattr(library, action)(KEYRING_SERVICE, self.entry, *arguments)
        except library.errors.KeyringError as error:
            failure = type(error).__name__
        # Raised here and not in the handler: what the library says may hold what it was given.
        if failure is not None:
            raise MissingError(f"keystore: the system's keyring cannot be reached ({failure})")
        return answer


class KeystoreLevel:
    """Binds to a key that is kept elsewhere."""

    name: LevelName = "keystore"

    def __init__(self, key: KeyFile | SystemKeyring) -> None:
        self._key = key

    def create(self) -> None:
        """See to it that there is a key.

        Raises:
            InvalidError, MissingError: as `keys`.
        """
        self._key.create()

    def keys(self, purpose: str) -> ResourceKeys:
        """Of that key alone.

        Raises:
            InvalidError: what is kept there is no key.
            MissingError: it cannot be reached.
        """
        return ResourceKeys.derive(self._key.read(), purpose)


def _keyring_library() -> Any:
    try:
        return import_module("keyring")
    except ImportError:
        raise MissingError(
            "keystore: the system's keyring needs the library keyring; "
            "install sealyard with its extra keystore, or name a file"
        ) from None


def _decoded(text: bytes) -> bytes | None:
    try:
        if len(text) == 2 * SECRET_BYTES:
            return bytes.fromhex(text.decode())
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
