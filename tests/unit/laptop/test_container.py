"""A Job's container as a process of this machine."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.mounts import CA_DIRECTORY, POD_UID_VARIABLE, TASK_VARIABLE
from sealyard.api.secrets import SECRETS_DIRECTORY
from sealyard.errors import MissingError, UnavailableError
from sealyard.laptop import container
from sealyard.laptop.container import Ended, Folders, alone, run_container

PROGRAM = """#!/bin/sh
# Says where everything is, and ends as its task says.
for option in "$@"; do case "$last" in
  --termination-message) answer="$option";;
  --workspace) workspace="$option";;
  --dataset) dataset="$option";;
  --secrets) secrets="$option";;
  --ca) ca="$option";;
esac; last="$option"; done
echo "$workspace|$dataset|$(cat "$secrets/api/login" 2>&1)|$(ls "$ca/cdn")|$HOME" > "$answer"
echo "$SEALYARD_TASK" >> "$answer"
touch "$workspace/touched"
trap 'exit 143' TERM
eval "$PROGRAM_ENDS"
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "bin" / "a-program"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    return path.name


def job(program: str, **spec: Any) -> Mapping[str, Any]:
    volumes = [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": "work"}},
        {"name": "dataset", "persistentVolumeClaim": {"claimName": "pictures"}},
        {"name": "login", "secret": {"secretName": "api", "items": [
            {"key": "login", "path": "login"}, {"key": "other", "path": "other"}]}},
        {"name": "ca", "configMap": {"name": "roots"}},
        {"name": "scratch", "emptyDir": {}},
    ]  # fmt: skip
    mounts = [
        {"name": "workspace", "mountPath": "/workspace"},
        {"name": "dataset", "mountPath": "/dataset", "readOnly": True},
        {"name": "login", "mountPath": f"{SECRETS_DIRECTORY}/api", "readOnly": True},
        {"name": "ca", "mountPath": f"{CA_DIRECTORY}/cdn", "readOnly": True},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    environment = [
        {"name": TASK_VARIABLE, "value": json.dumps({"a": "$task"})},
        {"name": POD_UID_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "HOME", "value": "/scratch"},
    ]
    pod = {
        "terminationGracePeriodSeconds": 30,
        "volumes": volumes,
        "containers": [{"command": [program], "env": environment, "volumeMounts": mounts}],
    }
    return {"spec": {"template": {"spec": pod}, **spec}}


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for path, content in (("secret/login", "me"), ("secret/third", "no"), ("roots/ca.crt", "PEM")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    (tmp_path / "pictures").mkdir()
    return Folders(
        tmp_path / "work",
        claims={"pictures": tmp_path / "pictures"},
        secrets={"api": tmp_path / "secret"},
        config_maps={"roots": tmp_path / "roots"},
    )


def test_volumes_are_folders(
    tmp_path: Path, program: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRAM_ENDS", "exit 3")
    ended = run_container(job(program), folders)
    assert (ended.exit_code, ended.is_overdue) == (3, False)
    said, given = ended.message.splitlines()
    workspace, dataset, secret, ca, home = said.split("|")
    assert (secret, ca) == ("me", "ca.crt")
    assert Path(workspace) == tmp_path / "work" / "claims" / "work"
    assert Path(dataset) == tmp_path / "pictures"
    assert (Path(workspace) / "touched").exists()
    assert json.loads(given) == {"a": "$task"}
    assert not Path(home).exists(), "what was the container's own is gone"
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["claims"]


def test_what_runs_too_long_is_ended(
    program: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRAM_ENDS", "while :; do sleep 0.05; done")
    ended = run_container(job(program, activeDeadlineSeconds=0.5), folders)
    assert (ended.exit_code, ended.is_overdue) == (143, True)


def test_what_is_killed_has_the_code_of_a_shell(
    program: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRAM_ENDS", "kill -9 $$")
    assert run_container(job(program), folders).exit_code == 137


def test_secrets_are_copied_for_the_owner_alone(tmp_path: Path, folders: Folders) -> None:
    container._copy(tmp_path / "secret", [{"key": "login", "path": "login"}], tmp_path)
    assert stat.S_IMODE((tmp_path / "login").stat().st_mode) == 0o400


def test_a_folder_to_be_read_must_be_there(tmp_path: Path, program: str) -> None:
    with pytest.raises(MissingError, match=r"say where it is with --claim pictures=FOLDER"):
        run_container(job(program), Folders(tmp_path / "work"))


def test_a_program_that_is_not_there_is_named(folders: Folders) -> None:
    with pytest.raises(MissingError, match=r"pip install 'sealyard\[nothing\]'"):
        run_container(job("sealyard-nothing"), folders)


def test_one_command_works_in_a_folder(tmp_path: Path) -> None:
    left = tmp_path / "work" / ".container-of-one-that-was-killed"
    left.mkdir(parents=True)
    (left / "login").write_text("a secret")
    with alone(tmp_path / "work"):
        assert not left.exists()
        with (
            pytest.raises(UnavailableError, match="another `sealyard run` works there"),
            alone(tmp_path / "work"),
        ):
            pass
    with alone(tmp_path / "work"):
        pass


def test_an_end_without_an_answer() -> None:
    assert Ended(1, "") == Ended(1, "", is_overdue=False)


def test_whoever_is_interrupted_again_leaves_nothing_running(
    program: str, folders: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    monkeypatch.setenv("PROGRAM_ENDS", f"trap '' TERM; echo $$ > {here}; while :; do :; done")
    interrupts = iter(range(2))

    def interrupt(*_: object) -> None:
        # Not before it is there, and then once more while it is asked to end.
        if here.exists() and here.read_text() and next(interrupts, None) is not None:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    # Far apart: for a quarter of a second after the first, `wait` takes another for the same.
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_container(job(program), folders)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert next(interrupts, None) is None, "it was interrupted twice"
    assert not Path(f"/proc/{here.read_text().strip()}").exists()
