"""The files of the signed index at the release API. What they say is not looked at here."""

from __future__ import annotations

import hashlib
from typing import Final

from sealyard.api.index import TUF_PATH, TUF_TARGETS_PATH
from sealyard.api.release_api import ErrorBody
from sealyard.delivery.api_session import JSON_CONTENT_TYPE, ApiSession

_OK: Final = 200
_NOT_FOUND: Final = 404


class TufFiles:
    """The index below `/tuf`. Safe to use from many threads.

    Args:
        session: the login under which all of it is asked; any reads, a Publisher writes.
    """

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    @property
    def name(self) -> str:
        """What the release API is called in messages."""
        return self._session.name

    def get(self, name: str, limit: int) -> bytes | None:
        """A file as it was put, or None if there is none.

        Args:
            name: below `/tuf`: `timestamp.json`, `3.root.json`, `targets/coins/1.0.0/….json`.
            limit: the most bytes that it may have.
        """
        what = f"{name} of the index"
        reply = self._session.authorised("GET", f"{TUF_PATH}/{name}", what, limit=limit)
        if reply.status == _NOT_FOUND:
            self._session.parse(ErrorBody, reply)  # the word of a release API, not of a proxy
            return None
        if reply.status != _OK:
            self._session.fail(reply, what)
        return reply.body

    def put(self, name: str, metadata: bytes) -> None:
        """Store metadata: `timestamp.json` in the place of the version before, else for ever.

        Raises:
            InvalidError: it is not what its name says, not signed by whom the newest root there
                names, or too long.
            MetadataExistsError: other bytes are there under a name that never changes.
            MetadataVersionError: it does not follow upon what is there.
        """
        self._store(f"{TUF_PATH}/{name}", f"{name} of the index", metadata)

    def put_target(self, target: str, content: bytes) -> None:
        """Store a target file under its digest; the same again is harmless.

        Args:
            target: `manifest_target` or `channel_target`.
            content: of the file.

        Raises:
            InvalidError: it is too long, or the path is none of the two.
        """
        folder, _, name = target.rpartition("/")
        digest = hashlib.sha256(content).hexdigest()
        path = f"{TUF_TARGETS_PATH}/{folder}/{digest}.{name}"
        self._store(path, f"the target {target} of the index", content)

    def _store(self, path: str, what: str, body: bytes) -> None:
        self._session.store(path, what, body, JSON_CONTENT_TYPE)
