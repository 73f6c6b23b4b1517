"""An object store in memory, which does as a test says where a real one could only be hoped to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from sealyard.errors import MissingError, UnavailableError
from sealyard.jobs.object_store import Document

BLOCK = 4


class MemoryStore:
    """What `ObjectStore` asks for. It counts, and fails on demand."""

    name = "store in memory"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away = False
        self.held: threading.Event | None = None
        """Uploads wait for it after their first block."""
        self.uploading = threading.Event()
        """An upload waits."""
        self.uploads: list[str] = []
        """The keys of those that came to their end."""
        self.loses_answers = 0
        """How many documents are written without anybody being told."""

    def read(self, key: str, most: int) -> Document | None:
        self._reach()
        content = self.objects.get(key)
        assert content is None or len(content) <= most
        return None if content is None else Document(content, hashlib.sha256(content).hexdigest())

    def replace(self, key: str, content: bytes, etag: str | None) -> Document | None:
        found = self.read(key, 1 << 20)
        if (found.etag if found else None) != etag:
            return None
        self.objects[key] = content
        if self.loses_answers:
            self.loses_answers -= 1
            return None
        return self.read(key, 1 << 20)

    def upload(
        self, key: str, file: BufferedReader, size: int, still_wanted: Callable[[], None]
    ) -> str:
        content = b""
        while len(content) < size:
            self._reach()
            still_wanted()
            content += file.read(min(BLOCK, size - len(content)))
            if self.held is not None:
                self.uploading.set()
                assert self.held.wait(60)
        self.objects[key] = content
        self.uploads.append(key)
        return hashlib.sha256(content).hexdigest()

    def download(self, key: str, size: int, target: Path) -> str:
        self._reach()
        if key not in self.objects:
            raise MissingError(f"there is no object {key}")
        assert len(self.objects[key]) == size
        target.write_bytes(self.objects[key])
        return hashlib.sha256(self.objects[key]).hexdigest()

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        self._reach()
        for key, content in sorted(self.objects.items()):
            if key.startswith(folder):
                yield key, len(content)

    def delete(self, key: str) -> None:
        self._reach()
        self.objects.pop(key, None)

    def _reach(self) -> None:
        if self.away:
            raise UnavailableError(f"{self.name} is away")
