"""Keeps a mirrored folder up to date in the store, beside the work that writes to the copy.

The work never waits for the store, and knows nothing of it. Whatever is newest when an upload
begins is uploaded; what was overtaken meanwhile is passed over. While the store is away the work
goes on; at its end everything must be there, or it has not been done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sealyard.errors import SealyardError, UnavailableError
from sealyard.jobs.lock import Superseded, WorkspaceLock
from sealyard.jobs.mirror import Mirror, Overtaken
from sealyard.jobs.process import Interrupted

POLL_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 900.0
"""How long work that is done waits for a store that is away: what it made would go with the pod."""
FLUSH_SECONDS: Final = 75.0
"""The same for work that was interrupted; the grace of its pod must be longer."""

logger = logging.getLogger(__name__)


class Uploader:
    """Uploads in a thread of its own while the block lasts, and all that is left at its end.

    Args:
        mirror: its folder is this pod's.
        select: gives the paths of what makes up the folder, as `Mirror.push` takes it.
        marker: what it gives changes as soon as there is something worth an upload.
        copy: the folder. Its LOCK gets the name of a pod that supersedes this one, which is where
            the work looks for that.
        patience: seconds to wait for the store once the work is done.
        flush: the same where the work was interrupted, or failed.

    Raises:
        UnavailableError: the work is done, and not everything is in the store.
        Interrupted: another pod has taken the folder; or the work was interrupted, and it says
            that not everything is in the store.
    """

    def __init__(
        self,
        mirror: Mirror,
        *,
        select: Callable[[], Collection[str]],
        marker: Callable[[], object],
        copy: Path,
        patience: float = PATIENCE_SECONDS,
        flush: float = FLUSH_SECONDS,
    ) -> None:
        self._mirror = mirror
        self._select = select
        self._marker = marker
        self._copy = copy
        self._patience = patience
        self._flush_seconds = flush
        self._pushed: object = object()
        self._ending = threading.Event()
        self._abandoned = threading.Event()
        self._superseded: Superseded | None = None
        self._trouble: Exception | None = None
        # A daemon: a request that hangs must not keep the pod beyond its grace.
        self._thread = threading.Thread(target=self._work, name="uploader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
            else:
                self._flush(error)
        except Interrupted as interruption:
            if interruption is self._superseded or error is not None:
                raise
            # SIGTERM while the last of it was on its way.
            self._flush(interruption)
            raise
        finally:
            self._abandoned.set()

    def _finish(self) -> None:
        """Everything is there when this returns."""
        trouble = self._wait(self._patience)
        if trouble:
            if isinstance(self._trouble, SealyardError):
                raise self._trouble
            raise UnavailableError(f"what was made is not in the workspace: {trouble}")

    def _flush(self, error: BaseException) -> None:
        """What can be there is there when this returns; an interruption says what is not."""
        trouble = self._wait(self._flush_seconds)
        if not trouble:
            return
        logger.warning("not everything is in the workspace: %s", trouble)
        if isinstance(error, Interrupted):
            raise Interrupted(
                f"{error}; but the newest of it is not in the workspace: {trouble}", error.exit_code
            ) from error

    def _wait(self, seconds: float) -> str:
        """Let the thread end; why not everything is there, if it is not."""
        self._ending.set()
        self._thread.join(seconds)
        if self._superseded:
            raise self._superseded
        if self._trouble:
            return " ".join(str(self._trouble).split())
        if self._thread.is_alive():
            return f"{self._mirror.name} took longer than {seconds:.0f} s"
        return ""

    def _work(self) -> None:
        failures = 0
        while not self._abandoned.is_set():
            is_last = self._ending.is_set()
            try:
                self._upload(is_last)
            except Overtaken:
                continue
            except Superseded as superseded:
                self._give_way(superseded)
                return
            except Exception as error:
                if self._abandoned.is_set():
                    return
                self._trouble, failures = error, failures + 1
                fault = None if isinstance(error, SealyardError) else error
                logger.warning("%s; the work goes on, tried again", error, exc_info=fault)
            else:
                self._trouble, failures = None, 0
                if is_last:
                    return
            pause = min(2.0**failures, LONGEST_PAUSE_SECONDS) if failures else POLL_SECONDS
            (self._abandoned if is_last else self._ending).wait(pause)

    def _upload(self, is_last: bool) -> None:
        marker = self._marker()
        if not is_last and marker == self._pushed:
            return

        def still_wanted() -> None:
            if self._abandoned.is_set():
                raise Overtaken
            # While the work goes on an upload that is begun is ended: a store that is slower than
            # the work would never have one that is whole.
            if self._ending.is_set() and not is_last and self._marker() != marker:
                raise Overtaken

        self._mirror.push(self._select, still_wanted=still_wanted)
        self._pushed = marker

    def _give_way(self, superseded: Superseded) -> None:
        self._superseded = superseded
        logger.warning("%s", superseded)
        try:
            WorkspaceLock(self._copy, superseded.holder or "unknown").take()
        except OSError as error:
            logger.warning("the copy's LOCK cannot be written: %s", error.strerror)
