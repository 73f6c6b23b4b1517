"""`sealyard-trainer` with two processes on the CPU, as it has on a machine with two GPUs."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = f"""#!{sys.executable}
import sys

from sealyard_trainer import main, run

if __name__ == "__main__":
    run.processes_of = lambda _task: 2
    sys.exit(main.main())
"""


def two_processes(folder: Path) -> str:
    """The path of the program, for `Pod.run`."""
    path = folder / "two-processes"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return str(path)
