"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import ctypes
import signal

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """For `subprocess.Popen(preexec_fn=…)`: whatever ends the parent, also SIGKILL, ends the child.

    One system call on a library that is loaded already, so it is safe after a fork. The kernel
    counts the thread that forked as the parent: start such a process from one that lasts.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
