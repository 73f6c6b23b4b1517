"""Keeps what an epoch has brought, while the next one is trained.

Ultralytics would write each model while nobody trains, and a file in place. Here every file is a
new one, so the same one may be a checkpoint, what ultralytics goes back to, and the best so far.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch

from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.workspace import FileDigest, link_file, renamed
from sealyard_trainer.background import Background
from sealyard_trainer.checkpoints import Checkpoints
from sealyard_trainer.curve import Curve, Point
from sealyard_trainer.tracking.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Epoch:
    """What there is at the end of one."""

    number: int
    """Counted from 1."""
    document: Mapping[str, Any] = field(repr=False)
    """Of the checkpoint; nothing in it is changed by what is trained after it."""
    point: Point
    is_best: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class Keeper:
    """`last` and `best` are where ultralytics looks for its models."""

    checkpoints: Checkpoints
    curve: Curve
    lock: WorkspaceLock
    tracking: Tracking
    background: Background
    last: Path
    best: Path

    def keep(self, epoch: Epoch) -> None:
        """Begin to write it, or write the last one; it is told to the trackers when it is kept.

        Raises:
            BaseException: what befell the epoch before, if it could not be kept.
        """
        self.background.start(lambda: self._keep(epoch))
        if epoch.is_last:
            # Nothing is trained beside it, and all processes now look for the best model.
            self.background.wait()

    def _keep(self, epoch: Epoch) -> None:
        digest = _write(epoch.document, self.last)
        if epoch.is_best:
            with renamed(self.best) as temporary:
                link_file(self.last, temporary)
        self.curve.write()
        if epoch.is_last:
            # Its model is what comes out, and ultralytics writes to that in place.
            with renamed(self.best) as temporary:
                shutil.copyfile(self.best, temporary)
        else:
            self.lock.check()
            self.checkpoints.save(
                epoch=epoch.number, last=self.last, digest=digest, is_best=epoch.is_best
            )
        self.tracking.epoch(epoch.point)


class _Hashed:
    """A file that is written once, from its beginning to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def digest(self) -> FileDigest:
        """Of what was written."""
        return FileDigest(self._hash.hexdigest(), self._size)

    def write(self, part: memoryview) -> int:
        """The next part."""
        self._hash.update(part)
        self._size += len(part)
        return self._file.write(part)

    def flush(self) -> None:
        """Have the system know all of it."""
        self._file.flush()


def _write(document: Mapping[str, Any], path: Path) -> FileDigest:
    """A new file at `path`, which is not on the disk yet."""
    with renamed(path) as temporary, temporary.open("wb") as file:
        hashed = _Hashed(file)
        try:
            torch.save(dict(document), hashed)
        except RuntimeError as error:
            # All that PyTorch says is that its archive has no end.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    return hashed.digest
