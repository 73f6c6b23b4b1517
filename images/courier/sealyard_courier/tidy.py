"""Delete the plaintext exports of a release, and nothing else.

What lies in a workspace was written by programs that run a user's code. So nothing is followed:
each folder is opened from the one above it, and a link is deleted as the link that it is.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from sealyard.api.answers import Answer, TidyResult
from sealyard.api.tasks import TidyTask
from sealyard.errors import MissingError
from sealyard.jobs.mounts import Mounts
from sealyard_courier.remote_workspace import tidy_store

EXPORTS_FOLDER = "exports"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def run_tidy(task: TidyTask, mounts: Mounts) -> Answer:
    """Delete what is left of the exports; doing it again deletes nothing more."""
    if task.workspace is None:
        result = tidy(mounts.workspace, task.release_path)
    else:
        result = tidy_store(task.workspace, mounts, f"{task.release_path}/{EXPORTS_FOLDER}")
    message = f"deleted {result.files} plaintext files, {result.bytes} bytes"
    return Answer(message=message, result=result.to_wire())


def tidy(workspace: Path, release_path: str) -> TidyResult:
    """Delete the folder `exports` of a release.

    Raises:
        MissingError: the workspace is not there, or something in it cannot be deleted.
    """
    with ExitStack() as opened:
        try:
            folder = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, folder)
        except OSError as error:
            raise MissingError(f"{workspace}: cannot be read ({error.strerror})") from None
        try:
            for name in release_path.split("/"):
                folder = os.open(name, _FOLDER, dir_fd=folder)
                opened.callback(os.close, folder)
            return _delete(EXPORTS_FOLDER, folder)
        except FileNotFoundError:
            return TidyResult(files=0, bytes=0)
        except OSError as error:
            raise MissingError(
                f"{workspace}/{release_path}: exports cannot be deleted ({error.strerror}); user "
                "65532 or its fsGroup must be able to write there, and no link may be on the way"
            ) from None


def _delete(name: str, parent: int) -> TidyResult:
    """Delete `name` in the open folder `parent`, with everything below it."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=parent)
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        return TidyResult(files=1, bytes=size)
    files = size = 0
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        for child in os.listdir(folder):  # noqa: PTH208 - of a descriptor, not of a path
            deleted = _delete(child, folder)
            files, size = files + deleted.files, size + deleted.bytes
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)
    return TidyResult(files=files, bytes=size)
