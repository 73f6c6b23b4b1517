"""What was fetched of a big part until now, beside the place that it is fetched for.

A pull may die at any instruction. What it fetched lies in a hidden file whose name has the object's
id: the beginning of the part, without a gap. The next pull of the same object goes on at its end,
and one of another object removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealyard.delivery.kept import explained, write_at
from sealyard.delivery.readers import FileReader
from sealyard.errors import IntegrityError, UnavailableError
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, sync_folder


class Partial:
    """The beginning of a big part, in a file that only this process writes to.

    Every method raises MissingError where the disk is full or fails.

    Args:
        place: what it is for; named in messages.
        path: its name until then.
        descriptor: of the file, locked.
    """

    def __init__(self, place: Path, path: Path, descriptor: int) -> None:
        self._place = place
        self._path = path
        self._descriptor = descriptor
        self._named = True
        self.size = os.fstat(descriptor).st_size

    def append(self, sealed: memoryview | bytes) -> None:
        """Add the bytes that follow."""
        with explained(self._place):
            write_at(self._descriptor, self.size, sealed)
        self.size += len(sealed)

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes, or all if there are fewer."""
        if size < self.size:
            with explained(self._place):
                os.ftruncate(self._descriptor, size)
            self.size = size

    def reader(self) -> FileReader:
        """What there is now."""
        return FileReader(os.dup(self._descriptor))

    def take_place(self) -> None:
        """Get the name that it is for, flushed to the disk."""
        with explained(self._place):
            os.fsync(self._descriptor)
            self._path.replace(self._place)
            self._named = False
            sync_folder(self._place.parent)

    def remove(self) -> None:
        """Take it away, unless it has its place; there is nothing to go on with then."""
        if self._named:
            self._named = False
            with explained(self._place):
                self._path.unlink(missing_ok=True)


@contextmanager
def partial_beside(place: Path, object_id: str) -> Iterator[Partial]:
    """What there is of an object for a place, locked while the block runs.

    If the block ends with an error it stays where it is, so that the next pull goes on with it; but
    not where the error is that something is not what was released, or if it is empty.

    Args:
        place: where the big part, or what is made of it, will be.
        object_id: 64 hex digits.

    Raises:
        UnavailableError: another pull to this place is under way.
        MissingError: the folder cannot be written to.
    """
    path = place.with_name(f".{place.name}.{object_id}{TEMPORARY_SUFFIX}")
    with explained(place):
        descriptor = _own(path, place)
    try:
        partial = Partial(place, path, descriptor)
        try:
            with explained(place):
                _remove_others(path, place)
            yield partial
        except IntegrityError:
            partial.remove()
            raise
        except BaseException:
            if not partial.size:
                partial.remove()
            raise
        partial.remove()
    finally:
        os.close(descriptor)


def _own(path: Path, place: Path) -> int:
    """The file of this name, made if it is not there, once it is ours alone."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            _lock(descriptor, place)
            if _is_named(descriptor, path):
                os.fchmod(descriptor, 0o600)
                return os.dup(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, place: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UnavailableError(
            f"{place}: another pull to it is under way; wait for its end, or choose another place"
        ) from None


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether it still is the file of this name: its last owner may have renamed or removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _remove_others(path: Path, place: Path) -> None:
    """Remove what there is of other objects; ours is locked already, so no two pulls go on."""
    other = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{64}}{re.escape(TEMPORARY_SUFFIX)}")
    for found in sorted(place.parent.iterdir()):
        if found == path or not other.fullmatch(found.name):
            continue
        descriptor = os.open(found, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _lock(descriptor, place)
            found.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
