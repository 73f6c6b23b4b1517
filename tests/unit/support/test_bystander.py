"""The bystander sees what it must: short lives, arguments, environments, logs and tokens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.bystander import Bystander
from support.operator import wait_for

PROGRAM = """
import resource, sys
if "safe" in sys.argv:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
sys.stdin.read(1)
"""


@pytest.fixture
def courier(tmp_path: Path) -> Path:
    program = tmp_path / "sealyard-courier"
    program.write_text(PROGRAM)
    return program


def run(program: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, program, *arguments],
        env={"SEALYARD_TASK": '{"kind": "verify"}', "PASSWORD": "hunter2-environment"},
        stdin=subprocess.PIPE,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"x", timeout=60)


def where(bystander: Bystander, said: bytes) -> set[str]:
    return {place for place, content in bystander.seen() if said in content}


def test_arguments_and_environments_are_seen(courier: Path, tmp_path: Path) -> None:
    with Bystander(tmp_path) as bystander:
        process = run(courier, "hunter2-argument")
        program = f"{Path(sys.executable).name} {courier.name}"
        wait_for(lambda: where(bystander, b"hunter2-argument"))
        assert where(bystander, b"hunter2-argument") == {f"the arguments of {program}"}
        wait_for(lambda: f"the environment of {program}" in where(bystander, b"hunter2-envir"))
        end(process)
        # What was seen is kept.
        assert where(bystander, b"hunter2-argument")


def test_core_files_are_seen_to_be_off(courier: Path, tmp_path: Path) -> None:
    with Bystander(tmp_path) as bystander:
        process = run(courier, "safe")
        wait_for(lambda: bystander.without_core)
        end(process)
    assert bystander.without_core == {"verify"}
    assert not bystander.with_core_again


def test_what_goes_with_its_pod_is_kept(tmp_path: Path) -> None:
    logs = tmp_path / "node/pod-logs/coins_publish_uid/main"
    mount = tmp_path / "node/kubelet/pods/uid/volumes/kubernetes.io~projected/token"
    for folder in (logs, mount):
        folder.mkdir(parents=True)
    log = logs / "0.log"
    log.write_text("one\n")
    (mount / "token").write_text("eyJ.a.b\n")
    (mount / "ca.crt").write_text("no token")
    with Bystander(tmp_path) as bystander:
        wait_for(lambda: where(bystander, b"one\n"))
        with log.open("a") as more:
            more.write("two\n")
        wait_for(lambda: where(bystander, b"one\ntwo\n"))
        log.unlink()
        assert where(bystander, b"one\ntwo\n")
        assert bystander.tokens == {"eyJ.a.b"}


def test_it_says_so_if_it_looks_away(tmp_path: Path) -> None:
    with Bystander(tmp_path) as bystander:
        pass
    with pytest.raises(AssertionError, match="has looked away"):
        list(bystander.seen())
