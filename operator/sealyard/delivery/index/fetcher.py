"""How python-tuf reaches the files: by our own client, or in the cache alone."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Final

from tuf.api.exceptions import DownloadHTTPError, DownloadLengthMismatchError
from tuf.ngclient.fetcher import FetcherInterface

from sealyard.delivery.index.store import IndexStore, limit_of

BASE_URL: Final = "index:///"
"""What python-tuf puts before every path; it never reaches a network."""

_NUMBERED: Final = re.compile(r"[0-9]+\.(targets|snapshot)\.json")


class _Fetcher(FetcherInterface):
    """Hands whole files to python-tuf, without the temporary ones that it would make of them."""

    @abstractmethod
    def content(self, path: str, limit: int) -> bytes | None:
        """A file of at most `limit` bytes; None if there is none."""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        path = url.removeprefix(BASE_URL)
        content = self.content(path, max_length)
        if content is None:
            raise DownloadHTTPError(f"there is no {path}", 404)
        return content

    def _fetch(self, url: str) -> Iterator[bytes]:
        yield self.download_bytes(url, limit_of(url.removeprefix(BASE_URL)))


class StoreFetcher(_Fetcher):
    """Fetches from a store, whose errors pass through python-tuf as they are."""

    def __init__(self, store: IndexStore) -> None:
        self._store = store

    def content(self, path: str, limit: int) -> bytes | None:
        """What the store has, of which no more is received than such a file may have."""
        # The limit is what other metadata says: whoever has a key could say anything.
        return self._store.get(path, min(limit, limit_of(path)))


class CacheFetcher(_Fetcher):
    """Serves what was fetched before, and knows no newer root. What expires still expires."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def content(self, path: str, limit: int) -> bytes | None:
        """What is in the cache, by its name without the number."""
        numbered = _NUMBERED.fullmatch(path)
        found = self._files.get(f"{numbered[1]}.json" if numbered else path)
        if found is not None and len(found) > limit:
            raise DownloadLengthMismatchError(f"{path} has {len(found)} bytes")
        return found
