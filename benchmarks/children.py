"""Other programs, alone or in a pipe; none outlives the row that started it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeAlias

from benchmarks.table import CheckError
from sealyard_local.processes import die_with_parent

Input: TypeAlias = int | IO[bytes] | None

_SHOWN = 2_000


class ChildError(CheckError):
    """A program failed; with the end of what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run.

    Attributes:
        argv: itself and its arguments.
        environment: all that it has beside PATH and HOME; it may hold keys, and nobody else gets
            them.
    """

    argv: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return Path(self.argv[0]).name


@contextmanager
def child(
    program: Program,
    *,
    stdin: Input = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs; killed at the end, if it still does.

    Args:
        program: which.
        stdin: what it reads.
        stdout: where its output goes.
        stderr: where its messages go; to ours if not given.
    """
    ours = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(
        program.argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**ours, **program.environment},
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*programs: Program) -> bytes:
    """Run a program, or several in a pipe; what the last one printed.

    Args:
        programs: each reads what the one before it prints.

    Raises:
        ChildError: one of them failed.
    """
    with ExitStack() as started:
        messages = started.enter_context(_unnamed_file())
        processes: list[subprocess.Popen[bytes]] = []
        source: Input = subprocess.DEVNULL
        for program in programs:
            process = started.enter_context(child(program, stdin=source, stderr=messages))
            if processes and processes[-1].stdout is not None:
                # Only the next one has it now: whoever ends early ends the one before it.
                processes[-1].stdout.close()
            processes.append(process)
            source = process.stdout
        last = processes[-1]
        printed = last.stdout.read() if last.stdout is not None else b""
        codes = [process.wait() for process in processes]
        if any(codes):
            names = " | ".join(program.name for program in programs)
            raise ChildError(f"{names}: exit codes {codes}: {_end_of(messages)}")
    return printed


def peak_mebibytes(program: Program) -> float:
    """Run a program; the most memory that it has had resident (`VmHWM`).

    The kernel forgets it when a process ends, so it is asked every few milliseconds: what is
    missed is what a program claims anew in its last moment. (`ru_maxrss` would count what our own
    process had before it became that program.)

    Raises:
        ChildError: it failed, or was never seen to run.
    """
    peak = 0
    with (
        _unnamed_file() as output,
        child(program, stdout=output, stderr=output) as process,
    ):
        while True:
            peak = max(peak, _resident_kibibytes(process.pid))
            try:
                code = process.wait(0.003)
            except subprocess.TimeoutExpired:
                continue
            break
        if code or not peak:
            raise ChildError(f"{program.name}: exit code {code}: {_end_of(output)}")
    return peak / 1024


def _resident_kibibytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _end_of(messages: IO[bytes]) -> str:
    messages.seek(0)
    return messages.read()[-_SHOWN:].decode(errors="replace").strip()


@contextmanager
def _unnamed_file() -> Iterator[IO[bytes]]:
    with os.fdopen(os.memfd_create("messages"), "w+b") as file:
        yield file
