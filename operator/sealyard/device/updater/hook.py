"""The health hook: a command of the user's that starts what runs, looks at it, says yes or no."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

logger = logging.getLogger(__name__)


class Event(StrEnum):
    """Why the hook is asked: `SEALYARD_EVENT`."""

    SWITCHED = "switched"
    ROLLED_BACK = "rolled-back"
    WITHDRAWN = "withdrawn"


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
                os.killpg(process.pid, 9)
                process.wait()
        if code:
            logger.warning("health command: ended with %d", code)
        return code == 0
