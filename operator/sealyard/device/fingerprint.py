"""Levels `fingerprint` and `legacy`: keys that follow from the hardware and from a local random.

A copied disk opens nothing in another machine, unless the four facts are forged too: they are no
secrets. Who is root on the machine itself can do all that it can.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sealyard.delivery.kept import explained, private_file
from sealyard.device.level import SECRET_BYTES, LevelName, read_secret
from sealyard.sealing.resource import ResourceKeys

LOCAL_RANDOM_FILE: Final = "local.random"


class FingerprintLevel:
    """Binds to the hardware's digest.

    Args:
        state: the state folder.
        digest: the hardware's, read when it is needed.
        name: of the level: a legacy device keeps its state likewise.
    """

    def __init__(
        self, state: Path, digest: Callable[[], bytes], name: LevelName = "fingerprint"
    ) -> None:
        self.name = name
        self._path = state / LOCAL_RANDOM_FILE
        self._digest = digest

    def create(self) -> None:
        """Make the local random, if there is none yet: several bindings may share it."""
        if not self._path.exists():
            with explained(self._path), private_file(self._path) as file:
                file.write(secrets.token_bytes(SECRET_BYTES))

    def keys(self, purpose: str) -> ResourceKeys:
        """Of the digest, with the local random as salt.

        Raises:
            MissingError: a fact or the local random cannot be read.
        """
        return ResourceKeys.derive(self._digest(), purpose, salt=read_secret(self._path))
