"""The programs that Sealyard is measured against, installed once into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sealyard.errors import UnavailableError
from sealyard_local.toolchain import find_go

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_AGE = "v1.3.2"
_AGE_PROGRAMS = ("age", "age-keygen")


@cache
def python_programs() -> Path:
    """The folder with `python`, `aws` and `py-spy` of an environment with our requirements.

    Raises:
        UnavailableError: it cannot be made; with what the installer says.
    """
    content = _REQUIREMENTS.read_bytes() + sys.version.encode()
    environment = _cache() / f"python-{hashlib.sha256(content).hexdigest()[:16]}"
    ready = environment / ".ready"
    with _locked():
        if not ready.exists():
            _say("installing awscli, tink and py-spy into the user's cache, once")
            uv = str(Path(sys.executable).with_name("uv"))
            # Where it stays: its programs name their interpreter by its whole path.
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)])
            python = str(environment / "bin" / "python")
            _run([uv, "pip", "install", "--quiet", "--python", python, "-r", str(_REQUIREMENTS)])
            ready.touch()
    return environment / "bin"


@cache
def age_programs() -> Path:
    """The folder with `age` and `age-keygen`, compiled from the module `filippo.io/age`.

    Raises:
        UnavailableError: there is no Go and none can be installed, or the compiler fails.
    """
    folder = _cache() / f"age-{_AGE}"
    with _locked():
        if not folder.exists():
            _say(f"compiling age {_AGE} into the user's cache, once")
            go = find_go(_cache() / "toolchain")
            with tempfile.TemporaryDirectory(dir=_cache(), prefix="building-") as made:
                programs = Path(made) / "bin"
                modules = [f"filippo.io/age/cmd/{name}@{_AGE}" for name in _AGE_PROGRAMS]
                _run(
                    [go.program, "install", "-trimpath", "-ldflags", "-s -w", *modules],
                    environment={**go.environment(static=True), "GOBIN": str(programs)},
                )
                programs.rename(folder)
    return folder


def _cache() -> Path:
    """`$XDG_CACHE_HOME/sealyard/benchmarks`, or the same below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "sealyard" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked() -> Iterator[None]:
    with (_cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str], *, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd="/"
    )
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-2000:]}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
