"""A software TPM on loopback, and tpm2-tools that talk to it.

The programs on the path serve; on Debian and what descends from it they are fetched otherwise, with
their libraries, into the user's cache, which takes no root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard_local.ports import free_block
from sealyard_local.processes import die_with_parent
from support.debian_packages import CAN_UNPACK, unpacked

PROGRAMS = ("swtpm", "tpm2_unseal")
OBTAINABLE = all(map(shutil.which, PROGRAMS)) or CAN_UNPACK
"""Whether this system has the programs, or the packages that have them."""
_PACKAGES = re.compile(r"swtpm|tpm2-tools|libtss2|libtpms|libjson-glib")


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
    root = unpacked("tpm", ("swtpm", "tpm2-tools"), _PACKAGES)
    (library,) = (root / "usr/lib").glob("*-linux-gnu")
    return {
        "PATH": f"{root / 'usr/bin'}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{library}:{library / 'swtpm'}",
    }
