"""Programs on a terminal of their own: a real pseudo-terminal that also controls them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 60
CONTROL_C = b"\x03"


@dataclass
class Terminal:
    """A program that runs, and what it has shown so far."""

    process: subprocess.Popen[bytes]
    keyboard: int
    shown: bytes = field(default=b"")

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def wait_for(self, text: str) -> None:
        """Wait until it shows this text."""
        deadline = time.monotonic() + SECONDS
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"waited for {text!r}, saw {self.shown!r}"
            assert self._read(), f"waited for {text!r}, it ended with {self.shown!r}"

    def wait(self) -> int:
        """Read to its end and give the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, self.shown
        return self.process.wait(SECONDS)

    def pause(self, seconds: float) -> None:
        """Let so much time pass for it in which it does nothing."""
        self.process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{self.process.pid}/stat")
        deadline = time.monotonic() + SECONDS
        while state.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def _read(self) -> bool:
        """Whether there may be more."""
        if not select.select([self.keyboard], [], [], 0.1)[0]:
            return True
        try:
            read = os.read(self.keyboard, 65536)
        except OSError:  # what Linux says when nobody holds the other end any more
            return False
        self.shown += read
        return bool(read)


@contextlib.contextmanager
def terminal(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run a program with a terminal as its input, output and error; kill it if it is left."""
    keyboard, screen = pty.openpty()

    def adopt() -> None:
        # As a shell would: the terminal's Ctrl-C reaches it, whoever started the tests.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "120", **(environment or {})},
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
        preexec_fn=adopt,  # noqa: PLW1509 - no thread of ours runs at this time
    )
    os.close(screen)
    try:
        yield Terminal(process, keyboard)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
