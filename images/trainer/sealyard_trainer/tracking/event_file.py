"""The run's one event file, which TensorBoard may have open while it grows."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from sealyard_trainer.curve import MAX_BYTES, Point
from sealyard_trainer.tracking.event_format import epoch_record, kept_bytes, version_record

EVENTS = "events.out.tfevents.sealyard"
"""TensorBoard looks for `tfevents` in a name. One file: of two it would draw both."""

logger = logging.getLogger(__name__)


class EventFile:
    """Each epoch once, however often the run was interrupted.

    It is cut off after the last epoch that is kept and appended to, in place: a reader that has it
    open goes on. A file that cannot be written is given up, which fails no run.
    """

    def __init__(self, folder: Path, former: Sequence[Point]) -> None:
        """Take up the file in `folder`, with the epochs before this attempt."""
        self._file: BinaryIO | None = None
        try:
            folder.mkdir(exist_ok=True)
            self._file = _open(folder / EVENTS)
            number, end = kept_bytes(self._file.read(MAX_BYTES), [each.epoch for each in former])
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._file.write(version_record(time.time()))
            for point in former[number:]:
                self._append(self._file, point)
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def add(self, point: Point) -> None:
        """Append an epoch."""
        if self._file is None:
            return
        try:
            self._append(self._file, point)
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Nothing is added any more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, file: BinaryIO, point: Point) -> None:
        file.write(epoch_record(time.time(), point.epoch, point.figures))

    def _give_up(self, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        logger.warning("TensorBoard's file cannot be written (%s); training goes on", reason)
        file, self._file = self._file, None
        if file is not None:
            # Its buffer may still hold what could not be written, and closing would try again.
            os.close(file.fileno())


def _open(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path.name} is no regular file")
    return os.fdopen(descriptor, "r+b")
