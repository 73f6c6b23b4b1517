"""The health hook: a command of the user's that starts what runs, looks at it, says yes or no."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealyard.device.updater.decide import Event

logger = logging.getLogger(__name__)

_END_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Hook:
    """A command, without a shell.

    Attributes:
        command: program and arguments; empty where there is no hook, and all is well.
        seconds: the longest that it may take; then it, and what it started, is killed.
    """

    command: Sequence[str]
    seconds: float

    def ask(self, event: Event, *, model: str, version: str | None, folder: Path) -> bool:
        """Whether it ended with exit code 0 in time.

        Args:
            event: why it is asked.
            model: its name.
            version: that is switched to; None if nothing is.
            folder: of the model, which has the link `current`.
        """
        if not self.command:
            return True
        told = {
            "SEALYARD_EVENT": event.value,
            "SEALYARD_MODEL": model,
            "SEALYARD_VERSION": version or "",
            "SEALYARD_FOLDER": str(folder),
        }
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command
                self.command,
                env=os.environ | told,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            logger.warning("health command: cannot be started (%s)", error.strerror)
            return False
        try:
            code = process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            logger.warning("health command: no answer within %g s", self.seconds)
            return False
        finally:
            # Also when we are interrupted: nobody would wait for it any more.
            if process.returncode is None:
                _end(process)
        if code:
            logger.warning("health command: ended with %d", code)
        return code == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its group. One that became another user's cannot be, and is left behind."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        logger.warning("health command: process %d cannot be ended", process.pid)
