"""A software TPM on loopback, and tpm2-tools that talk to it.

The programs on the path serve; on Debian and what descends from it they are fetched otherwise, with
their libraries, into the user's cache, which takes no root.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sealyard_local.ports import free_block
from sealyard_local.processes import die_with_parent

PROGRAMS = ("swtpm", "tpm2_unseal")
OBTAINABLE = all(map(shutil.which, PROGRAMS)) or all(map(shutil.which, ("apt-get", "dpkg")))
"""Whether this system has the programs, or the packages that have them."""
_PACKAGES = re.compile(r"swtpm|tpm2-tools|libtss2|libtpms|libjson-glib")
_SECONDS = 300


@dataclass(frozen=True)
class SoftwareTpm:
    """A TPM that listens, and how programs reach it.

    Attributes:
        environment: what a program is given beside its own environment.
    """

    environment: dict[str, str]

    def tool(self, name: str, *arguments: str) -> None:
        """Run a program of tpm2-tools."""
        subprocess.run(
            [name, *arguments],
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
            timeout=60,
        )

    def change_secure_boot(self) -> None:
        """Extend PCR 7, as firmware does when a key of Secure Boot is another one."""
        self.tool("tpm2_pcrextend", f"7:sha256={1:064x}")


@contextmanager
def software_tpm(folder: Path) -> Iterator[SoftwareTpm]:
    """A new TPM, stopped at the end.

    Args:
        folder: an empty one for its state.
    """
    environment = _programs()
    # The tools look for the control channel one port above.
    port, control, *_ = free_block()
    command = [
        *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}"),
        *("--server", f"type=tcp,port={port},bindaddr=127.0.0.1"),
        *("--ctrl", f"type=tcp,port={control},bindaddr=127.0.0.1"),
        *("--flags", "not-need-init,startup-clear"),
    ]
    tpm = SoftwareTpm(
        environment | {"TPM2TOOLS_TCTI": f"swtpm:host=127.0.0.1,port={port}"},
    )
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
        )
    try:
        _until_it_answers(tpm, process, log)
        yield tpm
    finally:
        process.kill()
        process.wait()


def _until_it_answers(tpm: SoftwareTpm, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            tpm.tool("tpm2_getcap", "properties-fixed")
        except subprocess.CalledProcessError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "waited 60 s for the TPM"
            time.sleep(0.05)
        else:
            return


def _programs() -> dict[str, str]:
    """The environment in which the programs are found."""
    if all(map(shutil.which, PROGRAMS)):
        return {}
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sealyard" / "tpm"
    root = cache / "root"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _fetch(cache, root)
    (library,) = (root / "usr/lib").glob("*-linux-gnu")
    return {
        "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{library}:{library / 'swtpm'}",
    }


def _fetch(cache: Path, root: Path) -> None:
    """Packages from the machine's own archive, which are unpacked and never installed."""
    options: tuple[str, ...] = ("-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true")
    if not _wanted(options, cache):
        # This machine has no lists, and only root may fetch them to where they belong.
        lists = cache / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options += ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}")
        _run("apt-get", *options, "update", cwd=cache)
    _run("apt-get", *options, "download", *_wanted(options, cache), cwd=cache)
    unpacked = cache / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in cache.glob("*.deb"):
        _run("dpkg", "--extract", str(package), str(unpacked), cwd=cache)
        package.unlink()
    unpacked.rename(root)


def _wanted(options: tuple[str, ...], cache: Path) -> list[str]:
    """The packages of the programs and their libraries; none where there are no lists of them."""
    with suppress(subprocess.CalledProcessError):
        planned = _run(
            *("apt-get", *options, "--print-uris", "--yes", "--no-install-recommends"),
            *("install", "swtpm", "tpm2-tools"),
            cwd=cache,
        )
        files = re.findall(r"^'[^']+' (\S+)_", planned, re.MULTILINE)
        return sorted({file.partition("_")[0] for file in files if _PACKAGES.match(file)})
    return []


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
