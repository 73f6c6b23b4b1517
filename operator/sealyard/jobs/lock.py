"""LOCK: which pod may write to a folder of the workspace. The newest one may.

A pod on a node that nobody reaches goes on working while its successor starts. It cannot be told,
but it can look: it re-reads the lock before each checkpoint, and stops when the name is not its.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from sealyard.api.mounts import POD_UID_VARIABLE
from sealyard.jobs.process import Interrupted
from sealyard.jobs.workspace import read_record, write_atomic

LOCK_FILE = "LOCK"
MAX_HOLDER_BYTES = 256


class Superseded(Interrupted):
    """Another pod has taken the folder.

    Args:
        holder: its uid; empty where nobody is named.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"superseded by pod {holder or 'unknown'}; this one stops")
        self.holder = holder


class WorkspaceLock:
    """The claim of one pod on one folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        self._path = folder / LOCK_FILE
        self._holder = holder

    @property
    def holder(self) -> str:
        """The uid of the pod that this claim is for."""
        return self._holder

    def take(self) -> None:
        """Become the one that may write, whoever was it before."""
        write_atomic(self._path, self._holder.encode())

    def check(self) -> None:
        """Go on only while the lock is still this pod's.

        Raises:
            Interrupted: another pod has taken it.
            IntegrityError: it is no regular file any more.
        """
        try:
            holder = read_record(self._path, MAX_HOLDER_BYTES).decode(errors="replace")
        except FileNotFoundError:
            holder = ""
        if holder != self._holder:
            raise Superseded(holder)


def pod_uid(environment: Mapping[str, str] | None = None) -> str:
    """The uid of this pod, from the downward API; a fresh one where a program runs by itself."""
    variables = os.environ if environment is None else environment
    return variables.get(POD_UID_VARIABLE) or str(uuid.uuid4())
