"""Runs the Go tests of the embedded cluster with the compiler that builds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sealyard_local.build import FLAGS, SOURCE, build, cache_folder
from sealyard_local.toolchain import Go, find_go

pytestmark = pytest.mark.cluster


@pytest.mark.timeout(900)
def test_the_go_tests_pass() -> None:
    # With the same flags, so that all but the tests themselves is compiled already.
    build()
    go = find_go(cache_folder() / "toolchain")
    run(go, go.program, "test", *FLAGS, "-vet=off", "-ldflags=-s -w", "./...")


def test_the_go_code_is_formatted_and_vetted() -> None:
    build()
    go = find_go(cache_folder() / "toolchain")
    assert run(go, go.program, "vet", *FLAGS, "./...") == ""
    formatter = Path(run(go, go.program, "env", "GOROOT").strip()) / "bin" / "gofmt"
    assert run(go, str(formatter), "-l", ".") == ""


def run(go: Go, *command: str) -> str:
    result = subprocess.run(
        command, cwd=SOURCE, env=go.environment(), check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
