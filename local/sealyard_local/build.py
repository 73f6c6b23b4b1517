"""Builds the embedded cluster's two programs once, into the user's cache, by their content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.errors import UnavailableError
from sealyard_local.toolchain import Go, find_go

SOURCE = Path(__file__).resolve().parents[1] / "cluster"
KUBERNETES = "v1.37.2"
CLUSTER, SHIM = "sealyard-cluster", "sealyard-shim"
_KEEP = 2  # entries of the cache; one is about 200 MB
_SECONDS_BETWEEN_LINES = 20.0
# Without debugging information the compiler has a quarter less to do.
FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/sealyard/cluster`, or the same below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sealyard" / "cluster"


def build() -> Path:
    """Returns the path of the cluster's program, after compiling it if this is the first time.

    The first time takes 5 to 10 minutes on two cores (most of Kubernetes is compiled) and shows on
    stderr how far it is; after that it is a look into the cache.

    Raises:
        UnavailableError: there is no Go and it cannot be installed, or the compiler fails.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        go = find_go(cache / "toolchain")
        entry = cache / _key(go)
        if not (entry / CLUSTER).exists():
            _compile(go, entry)
            _prune(cache, entry)
        os.utime(entry)
    return entry / CLUSTER


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build of the embedded cluster to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(go: Go) -> str:
    """A digest over all that the programs are made from."""
    digest = hashlib.sha256("\0".join((go.version, KUBERNETES, *FLAGS)).encode())
    files = [
        path
        for path in SOURCE.rglob("*")
        if path.suffix in {".go", ".mod", ".sum"} and not path.name.endswith("_test.go")
    ]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCE)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:24]


def _compile(go: Go, entry: Path) -> None:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    version = "k8s.io/component-base/version"
    stamp = (
        f"-s -w -X {version}.gitVersion={KUBERNETES}"
        f" -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    )
    began = time.monotonic()
    packages = _packages(go)
    folder = Path(tempfile.mkdtemp(dir=entry.parent, prefix="building-"))
    try:
        _say(f"compiling the embedded Kubernetes {KUBERNETES} with {go.version}")
        flags = ["build", "-v", *FLAGS, "-ldflags"]
        progress = _Progress(packages)
        _run(go, [*flags, stamp, "-o", f"{folder}/{CLUSTER}", "."], progress=progress)
        _run(go, [*flags, "-s -w", "-o", f"{folder}/{SHIM}", "./shim"], static=True)
        folder.chmod(0o755)
        folder.rename(entry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say(f"compiled in {time.monotonic() - began:.0f} s: {entry / CLUSTER}")


def _packages(go: Go) -> int:
    """How many packages there are to compile, after downloading their sources."""
    _say("fetching the sources of Kubernetes (0.8 GB, the first time)")
    return len(_run(go, ["list", "-deps", "."], progress=_Progress(0)).splitlines())


@dataclass
class _Progress:
    """Says how far the compiler is, now and then: one line each time, as fits a log as well."""

    total: int
    done: int = 0
    began: float = 0.0
    said: float = 0.0

    def line(self, text: str) -> None:
        now = time.monotonic()
        if not self.done:
            self.began = self.said = now
        self.done += 1
        if now - self.said < _SECONDS_BETWEEN_LINES:
            return
        self.said = now
        of = f"package {self.done} of at most {self.total}" if self.total else f"module {self.done}"
        _say(f"  {of}, {now - self.began:.0f} s: {text}")


def _run(
    go: Go, arguments: list[str], *, progress: _Progress | None = None, static: bool = False
) -> str:
    """Runs go in the source's folder; its messages go to `progress` and, on failure, the error."""
    messages: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as stdout,
        subprocess.Popen(
            [go.program, *arguments],
            cwd=SOURCE,
            env=go.environment(static=static),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        for line in process.stderr or ():
            messages.append(line.rstrip())
            if progress is not None:
                progress.line(line.strip())
        if process.wait():
            tail = "\n  ".join(messages[-15:])
            raise UnavailableError(f"go {arguments[0]} failed ({process.returncode}):\n  {tail}")
        stdout.seek(0)
        return stdout.read()


def _prune(cache: Path, new: Path) -> None:
    """Removes old entries, but none that a cluster still runs from."""
    entries = [path for path in cache.iterdir() if (path / CLUSTER).exists() and path != new]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for entry in entries[_KEEP - 1 :]:
        if not _in_use(entry):
            shutil.rmtree(entry, ignore_errors=True)


def _in_use(entry: Path) -> bool:
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            if link.readlink().is_relative_to(entry):
                return True
        except OSError:  # another user's, or gone
            continue
    return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
