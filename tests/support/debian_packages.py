"""Programs of Debian's packages, with their libraries, in the user's cache: that takes no root."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

CAN_UNPACK = all(map(shutil.which, ("apt-get", "dpkg")))
"""Whether this is Debian, or something that descends from it."""
_SECONDS = 300


def unpacked(
    name: str,
    packages: Sequence[str],
    wanted: re.Pattern[str],
    *,
    prepare: Callable[[Path, Path], None] | None = None,
) -> Path:
    """The root of a tree with these packages; fetched by whoever comes first, once.

    Args:
        name: of the folder in the cache.
        packages: what would be installed.
        wanted: which packages of those, and of what they depend on, are unpacked. What the machine
            has already is not.
        prepare: is given the unpacked tree, and where it will lie.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sealyard" / name
    root = cache / "root"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            tree = _fetch(cache, packages, wanted)
            if prepare is not None:
                prepare(tree, root)
            tree.rename(root)
    return root


def _fetch(cache: Path, packages: Sequence[str], wanted: re.Pattern[str]) -> Path:
    """Packages from the machine's own archive, which are unpacked and never installed."""
    options: tuple[str, ...] = ("-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true")
    if not _download(options, cache, packages, wanted):
        # This machine has no lists, or old ones; only root may fetch them to where they belong.
        lists = cache / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options += ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}")
        _run("apt-get", *options, "update", cwd=cache)
        if not _download(options, cache, packages, wanted):
            raise RuntimeError(f"apt-get cannot download {', '.join(packages)}; see its sources")
    tree = cache / "unpacked"
    shutil.rmtree(tree, ignore_errors=True)
    for package in cache.glob("*.deb"):
        _run("dpkg", "--extract", str(package), str(tree), cwd=cache)
        package.unlink()
    return tree


def _download(
    options: tuple[str, ...], cache: Path, packages: Sequence[str], wanted: re.Pattern[str]
) -> bool:
    """Whether all are there now: the packages of the programs and their libraries."""
    with suppress(subprocess.CalledProcessError):
        planned = _run(
            *("apt-get", *options, "--print-uris", "--yes", "--no-install-recommends"),
            *("install", *packages),
            cwd=cache,
        )
        files = re.findall(r"^'[^']+' (\S+)_", planned, re.MULTILINE)
        names = sorted({file.partition("_")[0] for file in files if wanted.match(file)})
        if names:
            _run("apt-get", *options, "download", *names, cwd=cache)
            return True
    return False


def _run(*command: str, cwd: Path) -> str:
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        env=environment,
    ).stdout
