"""A folder with the sealed parts of a release: the manifest, and for each variant both parts.

`pull --sealed-dir` and `seal` fill one, `open`, `inspect` and `publish` read it. Files have mode
0600 and take their place by rename.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from sealyard.delivery.readers import FileReader
from sealyard.errors import MissingError
from sealyard.jobs.workspace import replacing
from sealyard.sealing.manifest import MANIFEST_MAX_BYTES, Manifest

MANIFEST_FILE: Final = "manifest.json"


def kept_manifest_bytes(sealed: Path) -> bytes:
    """The manifest in a folder of kept parts as it is, at most a byte longer than it may be."""
    with FileReader.open(sealed / MANIFEST_FILE) as reader:
        return reader.read_at(0, MANIFEST_MAX_BYTES + 1)


def kept_manifest(sealed: Path) -> tuple[Manifest, str]:
    """The manifest in a folder of kept parts, and its hex digest."""
    raw = kept_manifest_bytes(sealed)
    return Manifest.parse(raw), hashlib.sha256(raw).hexdigest()


def kept_parts(folder: Path, variant: str) -> tuple[Path, Path]:
    """Where the small and the big part of a variant are."""
    return folder / f"{variant}.small", folder / f"{variant}.big"


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file of mode 0600 that takes its place when the block ends without an error."""
    with replacing(path) as temporary:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            yield file


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the system says against writing there, as the error of ours."""
    try:
        yield
    except OSError as error:
        raise MissingError(f"{path}: cannot be written ({error.strerror})") from None
