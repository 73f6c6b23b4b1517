"""When a volume is full or may not be written to, whoever reads the message can mend it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from sealyard.errors import MissingError
from sealyard.jobs.mounts import Mounts

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
READ_ONLY = frozenset({errno.EROFS})


def storage_fault(error: BaseException, mounts: Mounts) -> MissingError | None:
    """The error of ours for one of the system's, or for a library's that was raised from it.

    Not a fault of the program: what it has kept is whole, and it goes on once there is room.

    Args:
        error: as it reached the program's frame.
        mounts: the volumes that may be meant.
    """
    for cause in _chain(error):
        if not isinstance(cause, OSError) or cause.errno not in FULL | READ_ONLY:
            continue
        volume = _volume(cause, mounts)
        if volume is None:
            continue
        if cause.errno in READ_ONLY:
            return MissingError(
                f"{volume} is read-only ({cause.strerror}); let it be written to, and the work "
                "goes on"
            )
        return MissingError(f"{volume} is full ({cause.strerror}); make room, and the work goes on")
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _volume(error: OSError, mounts: Mounts) -> str | None:
    """Which volume is meant: by the file's name, else the one that has the least room.

    A file elsewhere is on the image, which nobody is to write to: a fault of the program.
    """
    volumes = {"the workspace": mounts.workspace, "the scratch volume": mounts.scratch}
    if isinstance(error.filename, str):
        for name, folder in volumes.items():
            if Path(error.filename).is_relative_to(folder):
                return name
        return None
    if error.errno in READ_ONLY:
        return None
    return min(volumes, key=lambda name: _room(volumes[name]))


def _room(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return float("inf")
    return found.f_bavail * found.f_frsize
