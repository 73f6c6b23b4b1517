"""Ports of this machine that are still free when they are bound.

A port that the kernel says is free may be somebody else's a moment later. These lie below the range
that it hands out by itself, in blocks, and two processes never get the same block: each takes one
under a lock that it keeps until it ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

BLOCK = 5
_BLOCKS = range(20_000, 22_000, BLOCK)

_claims: list[int] = []
"""Locks on blocks; they last as long as the process."""
_spare: list[int] = []
"""What is left of the block that `free_ports` has begun."""


def free_block(offset: int = 0) -> range:
    """A whole block that nobody uses.

    Args:
        offset: the ports so far above those of the block are to be free, too.
    """
    for start in _BLOCKS:
        ports = range(start, start + BLOCK)
        if _claim(start) and all(_is_free(port) and _is_free(port + offset) for port in ports):
            return ports
    raise RuntimeError(f"no {BLOCK} free ports between {_BLOCKS.start} and {_BLOCKS.stop}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses, and no other process is given."""
    found: list[int] = []
    while len(found) < count:
        if not _spare:
            _spare.extend(free_block())
        port = _spare.pop()
        if _is_free(port):
            found.append(port)
    return found


def _claim(block: int) -> bool:
    folder = Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / f"sealyard-ports-{os.getuid()}"  # noqa: S108 - only locks, in a folder of this user's own
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / str(block), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _claims.append(descriptor)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
