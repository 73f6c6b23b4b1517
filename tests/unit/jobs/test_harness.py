"""The frame around every Job program, tried as a process: exit code, answer, log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.answers import parse_answer
from sealyard.api.mounts import TASK_VARIABLE

PROGRAM = """
import os, resource, sys, time
from sealyard.api.answers import Answer
from sealyard.api.tasks import TidyTask
from sealyard.errors import *
from sealyard.jobs.harness import Handler, run_program

def run(task, mounts):
    match os.environ["BEHAVIOUR"]:
        case "good": return Answer(message="tidied", result={"files": 1, "bytes": 2})
        case "fault": return {}["nothing"]
        case "huge": return Answer(message="much", result={"text": "x" * 5000})
        case "paths": return Answer(message=f"{mounts.workspace} {mounts.dataset}")
        case "cores": return Answer(message=str(resource.getrlimit(resource.RLIMIT_CORE)))
        case "wait":
            try:
                print("waiting", flush=True)
                time.sleep(60)
            finally:
                print("cleaned up", flush=True)
        case "child":
            # Python forgets a signal that comes before its fork has returned in the child.
            forked, report = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(report, b".")
                time.sleep(60)
                os._exit(1)  # a child that went on would send the signal below to its group
            os.read(forked, 1)
            os.kill(child, 15)
            return Answer(message=str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        case name: raise globals()[name]("first line\\n  second  line")

sys.exit(run_program("sealyard-test", [Handler("tidy", TidyTask, run)]))
"""

TASK: dict[str, Any] = {
    "kind": "tidy",
    "owner": {"namespace": "default", "name": "coins", "uid": "uid-1"},
    "attempt": 1,
    "releasePath": "coins-1",
}


class Program:
    """One run of the program above."""

    def __init__(self, folder: Path) -> None:
        self.answer_file = folder / "answer"
        self.script = folder / "program.py"
        self.script.write_text(PROGRAM)

    def start(
        self, behaviour: str, task: object = TASK, arguments: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        environment = {**os.environ, "BEHAVIOUR": behaviour, "COVERAGE": ""}
        environment.pop(TASK_VARIABLE, None)
        if task is not None:
            environment[TASK_VARIABLE] = task if isinstance(task, str) else json.dumps(task)
        return subprocess.Popen(
            [
                *(sys.executable, str(self.script)),
                *("--termination-message", str(self.answer_file), *arguments),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, behaviour: str, *args: Any, **kwargs: Any) -> tuple[int, str, str]:
        """Exit code, the answer's message and what was written to stderr."""
        with self.start(behaviour, *args, **kwargs) as process:
            _, stderr = process.communicate(timeout=60)
        answer = parse_answer(self.answer_file.read_text()) if self.answer_file.exists() else None
        return process.returncode, answer.message if answer else "", stderr


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_an_answer_ends_with_zero(program: Program) -> None:
    assert program.run("good")[:2] == (0, "tidied")
    assert json.loads(program.answer_file.read_text())["result"] == {"files": 1, "bytes": 2}


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        ("InvalidError", 64),
        ("IntegrityError", 65),
        ("MissingError", 66),
        ("UnavailableError", 69),
        ("RefusedError", 77),
    ],
)
def test_an_error_is_its_exit_code_and_one_line(
    program: Program, error: str, exit_code: int
) -> None:
    code, message, stderr = program.run(error)
    assert (code, message) == (exit_code, "first line second line")
    assert stderr.splitlines()[-1] == "sealyard-test: first line second line"
    assert "Traceback" not in stderr


def test_a_fault_has_its_traceback_in_the_log_alone(program: Program) -> None:
    code, message, stderr = program.run("fault")
    assert (code, message) == (70, "unexpected KeyError; the pod's log has the traceback")
    assert "Traceback" in stderr


def test_an_answer_that_does_not_fit_is_a_fault(program: Program) -> None:
    code, message, _ = program.run("huge")
    assert (code, message) == (70, "unexpected ValueError; the pod's log has the traceback")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (None, "SEALYARD_TASK is not set; the operator puts the task there"),
        ("{", "SEALYARD_TASK: document: Invalid JSON"),
        ({**TASK, "attempt": 0}, "SEALYARD_TASK: attempt: Input should be greater than or equal"),
        ({**TASK, "releasePath": "../x"}, "SEALYARD_TASK: releasePath: String should match"),
        ({**TASK, "kind": "dance"}, "SEALYARD_TASK: kind is 'dance'; this program does tidy"),
        ({**TASK, "taskVersion": 99}, "the task has version 99 and this image understands up to"),
    ],
)
def test_a_task_that_is_wrong(program: Program, task: object, message: str) -> None:
    code, answered, stderr = program.run("good", task)
    assert code == 64
    assert answered.startswith(message)
    assert "Traceback" not in stderr


def test_sigterm_cleans_up_and_ends_with_143(program: Program) -> None:
    with program.start("wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert output == "cleaned up\n"
    assert process.returncode == 143
    assert "interrupted by SIGTERM" in program.answer_file.read_text()


def test_a_child_dies_of_sigterm_and_answers_nothing(program: Program) -> None:
    assert program.run("child")[:2] == (0, "143")


def test_no_core_dumps(program: Program) -> None:
    assert program.run("cores")[:2] == (0, "(0, 0)")


def test_mounts_can_be_put_elsewhere(program: Program) -> None:
    code, message, _ = program.run("paths", arguments=("--workspace", "/elsewhere"))
    assert (code, message) == (0, "/elsewhere /dataset")


def test_without_a_place_for_the_answer_the_exit_code_remains(program: Program) -> None:
    program.answer_file = program.answer_file.parent / "nowhere" / "answer"
    code, _, stderr = program.run("InvalidError")
    assert code == 64
    assert "cannot write the answer" in stderr
