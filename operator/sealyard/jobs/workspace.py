"""Files that are there whole or not at all, and their digests.

A workspace outlives the pod that writes to it, and a pod may die at any instruction. So every file
that is read again is written beside its place, flushed to the disk, and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from sealyard.errors import IntegrityError, InvalidError, MissingError

TEMPORARY_SUFFIX = ".part"
COPY_BYTES = 1 << 20
MAX_RECORD_BYTES = 4 << 20
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""What a volume says that cannot give a file a second name."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file holds: its lowercase hex SHA-256 and its size."""

    sha256: str
    size_bytes: int


def open_file(path: Path) -> BufferedReader:
    """Open a regular file. Nothing else of its name is waited for, as a pipe would be, or followed.

    Raises:
        IntegrityError: it is a link, a pipe, a device or a folder.
        OSError: it is not there, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return os.fdopen(descriptor, "rb")


def _no_file(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} is a link, a pipe, a device or a folder; a regular file is wanted: delete it"
    )


def read_record(path: Path, max_bytes: int = MAX_RECORD_BYTES) -> bytes:
    """What a small file holds. One that is longer is none of ours, and comes cut off.

    Raises:
        IntegrityError, OSError: as `open_file`.
    """
    with open_file(path) as file:
        return file.read(max_bytes)


def hash_file(path: Path) -> FileDigest:
    """The digest of a file, read once.

    Raises:
        IntegrityError, OSError: as `open_file`.
    """
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileDigest(digest.hexdigest(), file.tell())


def below(root: Path, relative: str | None) -> Path:
    """The path of `relative` below `root`, where no link on the way may leave `root`.

    Raises:
        InvalidError: it leads out of `root`.
    """
    top = root.resolve()
    path = (top / relative).resolve() if relative else top
    if not path.is_relative_to(top):
        raise InvalidError(f"{relative} leads out of {root}; a path below it is wanted")
    return path


@contextlib.contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    Whoever reads `path` sees a whole file; the disk may have less of it until it is flushed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The same for what outlives a crash of the node.

    The file is flushed to the disk before it is renamed, the folder after.
    """
    with renamed(path) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(path.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def copy_atomic(source: Path, target: Path) -> FileDigest:
    """Copy `source` to `target`, whole or not at all, and give the digest of what was copied.

    Raises:
        IntegrityError, OSError: as `open_file`.
    """
    digest = hashlib.sha256()
    size = 0
    with (
        replacing(target) as temporary,
        open_file(source) as reader,
        temporary.open("wb") as writer,
    ):
        while block := reader.read(COPY_BYTES):
            digest.update(block)
            size += len(block)
            writer.write(block)
    return FileDigest(digest.hexdigest(), size)


def link_file(source: Path, target: Path) -> None:
    """Give a file that nobody writes to any more a second name, where there is nothing yet.

    It is copied where the volume has no such names.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, so that a rename outlives a crash of the node."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, mount: Path) -> None:
    """Create a folder below a mount.

    Raises:
        MissingError: the mount is not there, or nothing may be written to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingError(
            f"{mount} takes no folder {path.name} ({error.strerror}); "
            "a claim that user 65532 or its fsGroup may write to is wanted"
        ) from error


def remove_temporaries(folder: Path) -> None:
    """Delete what writers that were killed left behind in `folder`."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)
