"""The index as it was verified last, on disk: all of it from one moment, whole or not at all.

python-tuf keeps a folder with a file for each role and replaces one after the other; a machine that
loses power in between has an index of two moments, which opens nothing while it is offline. So that
folder is made for each refresh and its files are kept in one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sealyard.api.index import ROOT_MAX_BYTES, TARGETS_MAX_BYTES
from sealyard.delivery.kept import explained
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import read_record, write_atomic

_FILE: Final = "metadata.json"
_LOCK: Final = "lock"
_NAME: Final = re.compile(r"(root_history/[0-9]+\.root|timestamp|snapshot|targets)\.json")
_SCRATCH: Final = ".refresh-"
_MAX_BYTES: Final = 4 * TARGETS_MAX_BYTES + 256 * ROOT_MAX_BYTES


class Cache:
    """What a client of the index keeps in a folder.

    Args:
        folder: of its own; made where it is missing.

    Raises:
        MissingError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._targets = folder / "targets"
        with explained(folder):
            self._targets.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the cache, among all processes of the machine, until the block ends.

        Raises:
            MissingError: the disk is full or fails, in the block too.
        """
        with explained(self._folder), (self._folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> dict[str, bytes]:
        """The files of the last verified index by their names in python-tuf's folder.

        Raises:
            IntegrityError: they cannot be read any more. To go on without them would be to forget
                what was seen, so somebody must delete them.
        """
        path = self._folder / _FILE
        try:
            raw = read_record(path, _MAX_BYTES)
        except FileNotFoundError:
            return {}
        with contextlib.suppress(ValueError, AttributeError):
            files = {name: text.encode() for name, text in json.loads(raw).items()}
            if all(_NAME.fullmatch(name) for name in files):
                return files
        raise IntegrityError(f"{path} is damaged; delete it to fetch the index anew")

    def save(self, files: Mapping[str, bytes]) -> None:
        """Put these files in the place of all."""
        texts = {name: content.decode() for name, content in files.items()}
        write_atomic(self._folder / _FILE, json.dumps(texts).encode())

    def target(self, sha256: str) -> bytes | None:
        """A target file of this digest, if it was kept and is undamaged."""
        try:
            content = read_record(self._targets / sha256)
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def keep_target(self, content: bytes) -> None:
        """Keep a target file that was verified.

        Raises:
            MissingError: the disk is full or fails.
        """
        with explained(self._targets):
            write_atomic(self._targets / hashlib.sha256(content).hexdigest(), content)

    @contextlib.contextmanager
    def unpacked(self, files: Mapping[str, bytes]) -> Iterator[Path]:
        """The files in a folder as python-tuf wants it, until the block ends. Only while locked."""
        for left in self._folder.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=_SCRATCH) as name:
            for path, content in files.items():
                target = Path(name, path)
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            yield Path(name)
