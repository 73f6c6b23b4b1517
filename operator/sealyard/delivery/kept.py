"""A folder with the sealed parts of a release: the manifest, and for each variant both parts.

`pull --sealed-dir` and `seal` fill one, `open`, `inspect` and `publish` read it. Files have mode
0600 and take their place by rename.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from sealyard.delivery.readers import FileReader
from sealyard.errors import MissingError
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, replacing
from sealyard.sealing.manifest import MANIFEST_MAX_BYTES, Manifest

MANIFEST_FILE: Final = "manifest.json"
# What a file system, or a kernel, says that cannot have files without a name.
_NO_UNNAMED: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR})


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
def unnamed_file(path: Path) -> Iterator[int]:
    """As `private_file`, by its descriptor; but it has no name at all until the block has ended.

    So nothing is left of it when the process is killed. Where the file system cannot have such
    files, it is a `private_file`.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600, dir_fd=folder)
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
            with private_file(path) as file:
                yield file.fileno()
            return
        try:
            yield descriptor
            os.fsync(descriptor)
            _give_name(descriptor, folder, path.name)
        finally:
            os.close(descriptor)
        os.fsync(folder)
    finally:
        os.close(folder)


def _give_name(descriptor: int, folder: int, name: str) -> None:
    """Link it there; only where there is a file already does it need a name in between."""
    unnamed = f"/proc/self/fd/{descriptor}"
    try:
        # To follow the link in /proc, it must be `linkat`, which Python takes for a folder only.
        os.link(unnamed, name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        temporary = f".{name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"
        os.link(unnamed, temporary, dst_dir_fd=folder, follow_symlinks=True)
        try:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(temporary, dir_fd=folder)
            raise


def write_at(descriptor: int, offset: int, data: memoryview | bytes) -> None:
    """Write all of it at an offset, however much the system takes at once."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the system says against writing there, as the error of ours."""
    try:
        yield
    except OSError as error:
        raise MissingError(f"{path}: cannot be written ({error.strerror})") from None
