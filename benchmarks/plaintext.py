"""The file that both sides go through, and proof that it came back."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import CheckError


@dataclass(frozen=True, slots=True)
class Plaintext:
    """Bytes that nobody can compress, in memory.

    Attributes:
        path: where they are.
        size_bytes: how many.
        sha256: hex.
    """

    path: Path
    size_bytes: int
    sha256: str

    def check(self, path: Path) -> None:
        """Raise unless a file is these bytes; then remove it.

        Raises:
            CheckError: it is another file.
        """
        self.check_digest(path, _sha256(path))
        path.unlink()

    def check_digest(self, what: object, sha256: str) -> None:
        """Raise unless it is the digest of these bytes.

        Raises:
            CheckError: it is another one.
        """
        if sha256 != self.sha256:
            raise CheckError(f"{what}: SHA-256 is {sha256}, {self.sha256} went in")


def plaintext(path: Path, size_bytes: int) -> Plaintext:
    """Write a new one."""
    block = os.urandom(min(1 << 24, size_bytes))
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for offset in range(0, size_bytes, len(block)):
            # No two blocks are the same: a store may notice.
            chunk = offset.to_bytes(8, "big") + block[8:]
            chunk = chunk[: size_bytes - offset]
            digest.update(chunk)
            file.write(chunk)
    return Plaintext(path, size_bytes, digest.hexdigest())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
