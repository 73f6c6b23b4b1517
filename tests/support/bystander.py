"""Watches a run from beside it: what anybody on the machine could read while it lasts.

Couriers live for a second and a pod's log goes with the pod, so that looking once, at the end,
would see neither. A bystander looks all the time, and keeps what it saw.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sealyard.api.mounts import TASK_VARIABLE

PROGRAMS = ("sealyard-trainer", "sealyard-exporter", "sealyard-courier")

_PAUSE_SECONDS = 0.03
_YOUNG_SECONDS = 2.0
"""So long a process is looked at in every round: it becomes what it is by exec."""
_SELDOM_SECONDS = 0.5
"""How often all others are looked at, and what the node keeps on its disk."""
_CORE_LIMIT = re.compile(rb"Max core file size +(\w+) +(\w+)")
_TASK = f"{TASK_VARIABLE}=".encode()


class Bystander:
    """Looks on as long as the block lasts.

    Args:
        cluster: the folder of the embedded cluster.

    Attributes:
        tokens: every service account token that was mounted into a pod.
        without_core: the kinds of tasks whose program was seen with core files switched off.
        with_core_again: programs that were seen to switch them on again.
    """

    def __init__(self, cluster: Path) -> None:
        self.tokens: set[str] = set()
        self.without_core: set[str] = set()
        self.with_core_again: set[str] = set()
        self._node = cluster / "node"
        self._cluster = cluster
        self._said: dict[bytes, str] = {}
        self._logs: dict[Path, bytearray] = {}
        self._first_seen: dict[int, float] = {}
        self._safe: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bystander", daemon=True)
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def seen(self) -> Iterator[tuple[str, bytes]]:
        """What was seen, each with where.

        Raises:
            AssertionError: it had to look away.
        """
        assert self._thread.is_alive(), f"the bystander has looked away: {self._fault!r}"
        for content, where in list(self._said.items()):
            yield where, content
        for path, log in list(self._logs.items()):
            yield f"the log {path.relative_to(self._node)}", bytes(log)

    def _watch(self) -> None:
        try:
            last = 0.0
            while not self._stop.wait(_PAUSE_SECONDS):
                now = time.monotonic()
                seldom = now - last >= _SELDOM_SECONDS
                self._look_at_processes(now, all_of_them=seldom)
                if seldom:
                    last = now
                    self._look_at_the_node()
        except BaseException as error:
            self._fault = error
            raise

    def _look_at_processes(self, now: float, *, all_of_them: bool) -> None:
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208
        for pid in self._first_seen.keys() - there:
            del self._first_seen[pid]
            self._safe.discard(pid)
        for pid in there:
            if all_of_them or now - self._first_seen.setdefault(pid, now) < _YOUNG_SECONDS:
                # It may end at any time.
                with contextlib.suppress(OSError):
                    self._look_at(pid)

    def _look_at(self, pid: int) -> None:
        folder = Path("/proc") / str(pid)
        command = (folder / "cmdline").read_bytes()
        words = [os.path.basename(word) for word in command.split(b"\0")]  # noqa: PTH119
        name = b" ".join(words[:2]).decode(errors="replace")
        self._said.setdefault(command, f"the arguments of {name}")
        environment = (folder / "environ").read_bytes()
        self._said.setdefault(environment, f"the environment of {name}")
        if any(program.encode() in words[:2] for program in PROGRAMS) and _is_of(
            self._cluster, pid
        ):
            self._look_at_limits(pid, _kind_of_task(environment), name)

    def _look_at_limits(self, pid: int, kind: str, name: str) -> None:
        if leaves_no_core(pid):
            self._safe.add(pid)
            self.without_core.add(kind)
        elif pid in self._safe:
            self.with_core_again.add(name)

    def _look_at_the_node(self) -> None:
        for path in self._node.glob("pod-logs/*/*/*.log"):
            log = self._logs.setdefault(path, bytearray())
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(len(log))
                log += file.read()
        for path in self._node.glob("kubelet/pods/*/volumes/kubernetes.io~projected/*/*"):
            with contextlib.suppress(OSError):
                text = path.read_bytes()
                if text.startswith(b"eyJ"):
                    self.tokens.add(text.decode().strip())


def processes_of(cluster: Path, program: str) -> Iterator[int]:
    """The processes of a program that run in a cluster's containers, as this machine counts them.

    Args:
        cluster: the folder of the embedded cluster.
        program: its entry point.
    """
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208
        # It may end at any time.
        with contextlib.suppress(OSError):
            command = (Path("/proc") / str(pid) / "cmdline").read_bytes()
            words = [os.path.basename(word) for word in command.split(b"\0")]  # noqa: PTH119
            if program.encode() in words[:2] and _is_of(cluster, pid):
                yield pid


def leaves_no_core(pid: int) -> bool:
    """Whether a process has switched core files off for good."""
    limits = _CORE_LIMIT.search((Path("/proc") / str(pid) / "limits").read_bytes())
    return limits is not None and limits.groups() == (b"0", b"0")


def _is_of(cluster: Path, pid: int) -> bool:
    """Whether the process, or one that it comes from, was told of this cluster's folder."""
    mark = str(cluster).encode()
    while pid > 1:
        if mark in (Path("/proc") / str(pid) / "cmdline").read_bytes():
            return True
        status = (Path("/proc") / str(pid) / "status").read_text()
        pid = next(int(line[5:]) for line in status.splitlines() if line.startswith("PPid:"))
    return False


def _kind_of_task(environment: bytes) -> str:
    for line in environment.split(b"\0"):
        if line.startswith(_TASK):
            with contextlib.suppress(ValueError, KeyError):
                return str(json.loads(line.removeprefix(_TASK))["kind"])
    return ""
