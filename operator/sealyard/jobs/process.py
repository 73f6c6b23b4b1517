"""What a program that handles keys does to its own process: nothing leaks, and it ends cleanly."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPT_GRACE_SECONDS: Final = 15.0
"""How long the `finally` blocks may take after a signal; half of Kubernetes' grace of 30 s. Who has
more to do then has a pod with a longer grace, and says so."""
EXIT_INTERRUPTED: Final = 128 + signal.SIGTERM


class Interrupted(BaseException):
    """The work must stop now and may be taken up again: a signal, or a newer pod does it.

    Not an `Exception`, so that no library in between mistakes it for a failure of its own.

    Args:
        message: one line for the user.
        exit_code: what the program ends with.
    """

    def __init__(self, message: str, exit_code: int = EXIT_INTERRUPTED) -> None:
        super().__init__(message)
        self.exit_code: Final = exit_code


class _Held:
    """A signal that has to wait, in the main thread: nothing else handles signals."""

    def __init__(self) -> None:
        self.blocks = 0
        self.interruption: Interrupted | None = None


_held: Final = _Held()


@contextmanager
def unbroken() -> Iterator[None]:
    """A block of the main thread that a signal does not break off; it may be within another one.

    `Interrupted` is raised at its end instead. The grace runs from the signal on.

    Raises:
        Interrupted: there was a signal meanwhile.
    """
    _held.blocks += 1
    try:
        yield
    finally:
        _held.blocks -= 1
        if not _held.blocks and _held.interruption is not None:
            interruption, _held.interruption = _held.interruption, None
            raise interruption


def keep_private(umask: int) -> None:
    """Leave no core dump, and give new files no more rights than `umask` lets through."""
    # A core file of what opens models would hold keys, one of a server its tokens, one of a trainer
    # the user's pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(umask)


def interrupt_on(
    messages: Mapping[signal.Signals, str], *, grace_seconds: float = INTERRUPT_GRACE_SECONDS
) -> None:
    """Turn the first of these signals into `Interrupted` in the main thread; a later one ends it.

    The exit code is that of a shell: 128 and the signal's number. As process 1 of a container a
    program without a handler would not die of SIGTERM at all.

    Args:
        messages: what `Interrupted` says, by signal.
        grace_seconds: after which the process ends, whatever it still does.
    """
    main_process = os.getpid()
    received = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        exit_code = 128 + number
        if os.getpid() != main_process or received.is_set():
            os._exit(exit_code)
        received.set()
        deadline = threading.Timer(grace_seconds, os._exit, (exit_code,))
        deadline.daemon = True
        deadline.start()
        interruption = Interrupted(messages[signal.Signals(number)], exit_code)
        if _held.blocks:
            _held.interruption = interruption
        else:
            raise interruption

    for number in messages:
        signal.signal(number, on_signal)
