"""Where the files of the index lie: the release API, or whatever stands in for it."""

from __future__ import annotations

import re
from typing import Final, Protocol

from sealyard.api.index import (
    CHANNEL_MAX_BYTES,
    ROOT_MAX_BYTES,
    SNAPSHOT_MAX_BYTES,
    TARGETS_MAX_BYTES,
    TIMESTAMP_MAX_BYTES,
)
from sealyard.api.release_api import MANIFEST_MAX_BYTES

TIMESTAMP: Final = "timestamp.json"
SNAPSHOT: Final = "snapshot.json"
TARGETS: Final = "targets.json"

_LIMITS: Final = {
    "root": ROOT_MAX_BYTES,
    "targets": TARGETS_MAX_BYTES,
    "snapshot": SNAPSHOT_MAX_BYTES,
    "timestamp": TIMESTAMP_MAX_BYTES,
}
_METADATA: Final = re.compile(r"(?:[0-9]+\.)?(root|targets|snapshot|timestamp)\.json")


class IndexStore(Protocol):
    """The files of the index: `TufFiles` of the release API."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def get(self, name: str, limit: int) -> bytes | None:
        """A file of at most `limit` bytes, by its path below `/tuf`; None if there is none.

        Raises:
            TooLongError: it is longer.
            UnavailableError: it cannot be asked for.
        """

    def put(self, name: str, metadata: bytes) -> None:
        """Store metadata; the same bytes again are harmless.

        Raises:
            MetadataExistsError: another file is there, under a name that never changes.
            MetadataVersionError: this timestamp does not follow the one that is there.
            UnavailableError: it cannot be stored now.
        """

    def put_target(self, target: str, content: bytes) -> None:
        """Store a target file under its digest; the same again is harmless.

        Raises:
            UnavailableError: it cannot be stored now.
        """


def limit_of(path: str) -> int:
    """How long the file of a path may be."""
    metadata = _METADATA.fullmatch(path)
    if metadata:
        return _LIMITS[metadata[1]]
    return MANIFEST_MAX_BYTES if path.endswith(".manifest.json") else CHANNEL_MAX_BYTES
