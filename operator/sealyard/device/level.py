"""The seam of the levels: where the secret comes from that seals a device's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import open_file
from sealyard.sealing.resource import ResourceKeys

LevelName: TypeAlias = Literal["fingerprint", "keystore", "tpm2", "legacy"]
LEVELS: Final[tuple[LevelName, ...]] = ("fingerprint", "keystore", "tpm2", "legacy")
SECRET_BYTES: Final = 32


class Level(Protocol):
    """One way to keep the device's keys. Made for one state folder."""

    @property
    def name(self) -> LevelName:
        """As in the Device's YAML."""

    def create(self) -> None:
        """Lay down in the state folder what `keys` needs; what was there is replaced.

        Raises:
            InvalidError, MissingError: the machine has not what the level needs.
        """

    def keys(self, purpose: str) -> ResourceKeys:
        """The keys that seal for this purpose, the same at every call on the same machine.

        Raises:
            MissingError: something that the level needs is not there.
            IntegrityError, RefusedError: this is not the machine, or not its state.
        """


def read_secret(path: Path) -> bytes:
    """A file of exactly `SECRET_BYTES` random bytes.

    Raises:
        MissingError: it cannot be read.
        IntegrityError: it has another length, or is no regular file.
    """
    try:
        with open_file(path) as file:
            secret = file.read(SECRET_BYTES + 1)
    except OSError as error:
        raise MissingError(f"{path}: cannot be read ({error.strerror})") from None
    if len(secret) != SECRET_BYTES:
        raise IntegrityError(f"{path}: must have {SECRET_BYTES} bytes; restore the state folder")
    return secret
