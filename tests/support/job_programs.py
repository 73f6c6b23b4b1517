"""Runs the real programs of Jobs as processes, with their mounts in a folder of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealyard.api.answers import Answer, parse_answer
from sealyard.api.mounts import POD_UID_VARIABLE, TASK_VARIABLE
from sealyard.api.tasks import Task, to_environment

BIN = Path(sys.executable).parent
PROGRAM_SECONDS = 480
"""A training of a few epochs: half a minute alone, minutes where many want the same cores."""
TIMEOUT_SECONDS = 2000
"""Of a test that runs such programs, the fixtures that it comes to first included."""

DRIVER = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""Where a machine's GPUs and their driver are, if they are anywhere unusual: a container runtime
gives them to a pod."""

# Loaded by the interpreter before anything else: notes every address that is looked up or
# connected to, and every file that is opened for writing.
WATCHER = """
import os, sys

log = os.open(os.environ["WATCHER_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        address = arguments[1] if event != "socket.getaddrinfo" else arguments[:2]
        os.write(log, f"network {event} {address!r}\\n".encode())
    elif event == "open" and isinstance(arguments[0], str) and (arguments[2] or 0) & WRITING:
        os.write(log, f"write {os.path.abspath(arguments[0])}\\n".encode())

sys.addaudithook(note)
"""


@dataclass(frozen=True)
class Pod:
    """What a Job's container would have: mounts of its own and a workspace that outlives it."""

    root: Path
    workspace: Path
    dataset: Path | None = None
    uid: str = "pod-1"
    token: Path | None = None
    secrets: Path | None = None
    ca: Path | None = None
    weights: Path | None = None
    index: int | None = None
    """Which of several pods of an indexed Job it is."""

    @property
    def answer_file(self) -> Path:
        """Stands for the file of the termination message."""
        return self.root / "termination-log"

    @property
    def log_file(self) -> Path:
        """What `kubectl logs` would show."""
        return self.root / "log"

    @property
    def watch_file(self) -> Path:
        """What the program reached out to and wrote to."""
        return self.root / "watched"

    def answer(self) -> Answer:
        """What the program answered."""
        answer = parse_answer(self.answer_file.read_text())
        assert answer is not None, self.log_file.read_text()
        return answer

    def watched(self, kind: str) -> set[str]:
        """The rest of the watcher's lines of this kind."""
        lines = self.watch_file.read_text().splitlines()
        return {line.partition(" ")[2] for line in lines if line.startswith(f"{kind} ")}

    def start(self, program: str, task: Task | Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """Start the program; its output goes to the log."""
        scratch, site = self.root / "scratch", self.root / "site"
        for folder in (scratch, site, self.workspace):
            folder.mkdir(parents=True, exist_ok=True)
        (site / "sitecustomize.py").write_text(WATCHER)
        text = to_environment(task) if isinstance(task, Task) else json.dumps(task)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "2",
            **{name: os.environ[name] for name in DRIVER if name in os.environ},
            "WATCHER_LOG": str(self.watch_file),
            TASK_VARIABLE: text,
            POD_UID_VARIABLE: self.uid,
        }
        if self.index is not None:
            environment["JOB_COMPLETION_INDEX"] = str(self.index)
        command = [
            *(str(BIN / program), "--workspace", str(self.workspace)),
            *("--scratch", str(scratch), "--termination-message", str(self.answer_file)),
        ]
        mounts = {
            "--dataset": self.dataset,
            "--weights": self.weights,
            "--progress-token": self.token,
            "--secrets": self.secrets,
            "--ca": self.ca,
        }
        for option, path in mounts.items():
            command += [option, str(path)] if path is not None else []
        with self.log_file.open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd="/")

    def run(self, program: str, task: Task | Mapping[str, Any]) -> int:
        """Run the program to its end and give its exit code."""
        process = self.start(program, task)
        try:
            return process.wait(PROGRAM_SECONDS)
        finally:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], pod: Pod) -> None:
    """Wait for a condition that the program brings about, as long as it runs."""
    deadline = time.monotonic() + PROGRAM_SECONDS
    while not condition():
        assert process.poll() is None, pod.log_file.read_text()
        assert time.monotonic() < deadline, pod.log_file.read_text()
        time.sleep(0.02)
