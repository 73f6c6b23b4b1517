"""What is made once in a test run, however many workers want it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of this test run, filled by whichever worker comes first.

    The others wait for it. It must not be written to afterwards.

    Args:
        factory: The run's temporary folders.
        name: Unlike every other name in the run.
        make: Fills the empty folder; if it raises, the next worker tries again in a new one.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder of its own in that of the run
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = base / f"{name}.done"
        if not done.exists():
            made = factory.mktemp(name)
            make(made)
            done.write_text(str(made))
        return Path(done.read_text())
