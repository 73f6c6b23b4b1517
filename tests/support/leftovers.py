"""What is left of an embedded cluster, as the kernel tells it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.embedded_cluster import until


def processes(*marks: str) -> dict[int, str]:
    """Processes whose command line holds one of the marks, by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(mark in line for mark in marks):
                found[int(folder.name)] = line
    return found


def mounts(mark: str) -> list[str]:
    """Mounts, of any process, whose source, root or place holds the mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            found += [line for line in file.read_text().splitlines() if mark in line]
    return found


def nothing_left(directory: Path, *marks: str) -> None:
    """Waits until no process, no mount and no file but logs is left of a cluster.

    Raises:
        AssertionError: something is.
    """
    kept = {"SEALYARD-CLUSTER", "lock", "logs"}

    def left() -> list[object]:
        files = sorted({path.name for path in directory.iterdir()} - kept)
        return [*processes(str(directory), *marks).items(), *mounts(str(directory)), *files]

    until(lambda: not left(), seconds=60, what=f"nothing to be left of {directory}: {left()}")
