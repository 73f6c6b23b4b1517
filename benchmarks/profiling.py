"""Where our side of a row spends its time: py-spy's samples, and the processor time of everybody.

py-spy looks at this process and its children from outside, 200 times a second, without stopping
them. A thread counts where it runs or waits for a core, not where it waits for anything else; time
in C or in the kernel counts for the Python line that called it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.children import Program, child
from benchmarks.others import python_programs
from benchmarks.table import CheckError, Side

_SAMPLES_PER_SECOND: Final = 200
_SHOWN: Final = 12
_PR_SET_PTRACER: Final = 0x59616D61


def profile(side: Side) -> str:
    """Do it once to warm up and once under the profiler; a text for people.

    Raises:
        CheckError: the profiler cannot look into this process.
    """
    side.seconds()
    side.before()
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"
        with _sampling(samples):
            before, begun = _processor_seconds(), time.perf_counter()
            side.run()
            seconds, after = time.perf_counter() - begun, _processor_seconds()
        side.check()
        threads = _parse(samples.read_text())
    lines = [f"{seconds:.2f} s, on {len(os.sched_getaffinity(0))} cores; processor seconds:"]
    used = Counter({who: spent - before.get(who, 0.0) for who, spent in after.items()})
    lines += [f"  {spent:7.2f}  {who}" for who, spent in used.most_common() if spent >= 0.01]
    for thread, functions in sorted(threads.items(), key=lambda item: -item[1].total()):
        busy = functions.total() / _SAMPLES_PER_SECOND
        lines += ["", f"{busy:.2f} s busy: {thread}"]
        lines += [
            f"  {count / _SAMPLES_PER_SECOND:7.2f}  {function}"
            for function, count in functions.most_common(_SHOWN)
        ]
    return "\n".join(lines)


@contextmanager
def _sampling(target: Path) -> Iterator[None]:
    """Sample while the block runs; the samples are in `target` after it."""
    # Where the kernel lets only parents look into their children, a child may look into us now.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, os.getpid(), 0, 0, 0)
    arguments: list[str | Path] = [
        *("record", "--pid", str(os.getpid()), "--subprocesses", "--threads", "--nonblocking"),
        *("--rate", str(_SAMPLES_PER_SECOND), "--format", "raw", "--output", target),
    ]
    program = Program([python_programs() / "py-spy", *arguments])
    with child(program, stderr=subprocess.STDOUT) as process:
        said = process.stdout.readline().decode() if process.stdout is not None else ""
        if "Sampling" not in said:
            raise CheckError(f"py-spy cannot look into this process: {said.strip()}")
        yield
        process.send_signal(signal.SIGINT)
        process.communicate()


def _parse(raw: str) -> Mapping[str, Counter[str]]:
    """Samples by process and kind of thread, and by the innermost line of the stack.

    Each line is `process 1:"…";[process 2:"…";]thread (2): name;function (file:line);… count`.
    """
    threads: dict[str, Counter[str]] = defaultdict(Counter)
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        processes, _, rest = stack.rpartition(";thread (")
        thread, _, frames = rest.partition(";")
        command = processes.rpartition(':"')[2].rstrip('"')
        # Threads of a pool are told apart by a number only.
        kind = thread.partition("): ")[2].rstrip("0123456789_-")
        innermost = frames.rpartition(";")[2] or "before Python runs"
        threads[f"{_called(command.split())}, {kind or 'thread'}"][innermost] += int(count)
    return threads


def _processor_seconds() -> dict[str, float]:
    """What this process, its children, and those of them that have ended have used until now."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = {"children that have ended": ended.ru_utime + ended.ru_stime}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        parent, ticks = int(fields[1]), int(fields[11]) + int(fields[12])
        if os.getpid() in {int(folder.name), parent}:
            used[_called(words)] = ticks / os.sysconf("SC_CLK_TCK")
    return used


def _called(words: Sequence[str]) -> str:
    """A short name of a process, from its command line; py-spy has none of a child just born."""
    program, *arguments = [*words, ""]
    if not Path(program).name.startswith("python"):
        return Path(program).name or "child"
    return arguments[1] if arguments[0] == "-m" else Path(arguments[0]).name
