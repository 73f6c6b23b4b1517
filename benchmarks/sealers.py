"""Ours and the programs that people would use instead, behind one face: seal a file, open it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from benchmarks.children import Program, child, run
from benchmarks.others import age_programs, python_programs
from benchmarks.table import CheckError
from sealyard.delivery.pull import open_kept
from sealyard.delivery.seal import Subject, seal_file
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import FormatName

_OPENSSL: Final = ("openssl", "enc", "-aes-256-cbc", "-K", "00" * 32, "-iv", "00" * 16)
_TINK: Final = Path(__file__).with_name("tink_child.py")


class Sealer(Protocol):
    """Whatever seals a file and opens it again."""

    def seal(self, source: Path, target: Path) -> None:
        """Seal `source` to `target`."""
        ...

    def open(self, source: Path, target: Path) -> None:
        """Open `source` to `target`."""
        ...


@dataclass(frozen=True, slots=True)
class Sealyard:
    """Ours; what is sealed is a folder with both parts and the manifest, digest included."""

    sealing: FormatName = "sealed-v2"
    keyring: Keyring = field(default_factory=lambda: Keyring.new(v1="fleet", v2="k1"), repr=False)

    def seal(self, source: Path, target: Path) -> None:
        """Seal `source` into the folder `target`."""
        subject = Subject(
            context=ReleaseContext("bench", "1.0.0", "onnx-fp32"),
            format="onnx",
            precision="fp32",
            image_size=640,
        )
        seal_file(source, target, subject, keyring=self.keyring, sealing_format=self.sealing)

    def open(self, source: Path, target: Path) -> None:
        """Open the folder `source` to the file `target`."""
        open_kept(source, None, keys=self.keyring, output=target)

    def prove(self, source: Path) -> None:
        """Open the folder `source` to nowhere, with every check."""
        open_kept(source, None, keys=self.keyring, output=None)


@dataclass(frozen=True, slots=True)
class OpenSSL:
    """`openssl enc`: AES-256-CBC, which authenticates nothing."""

    def seal(self, source: Path, target: Path) -> None:
        """Encrypt."""
        run(openssl("-in", source, "-out", target))

    def open(self, source: Path, target: Path) -> None:
        """Decrypt."""
        run(openssl("-d", "-in", source, "-out", target))


def openssl(*arguments: str | Path) -> Program:
    """`openssl enc -aes-256-cbc` with a key of zeros and these arguments."""
    return Program([*_OPENSSL, *arguments])


class Age:
    """`age` with an X25519 recipient.

    Args:
        folder: for the identity and the recipient.
    """

    def __init__(self, folder: Path) -> None:
        programs = age_programs()
        self._age = programs / "age"
        self._identity, self._recipients = folder / "identity", folder / "recipients"
        run(Program([programs / "age-keygen", "-o", self._identity]))
        self._recipients.write_bytes(run(Program([programs / "age-keygen", "-y", self._identity])))

    def seal(self, source: Path, target: Path) -> None:
        """Encrypt."""
        run(Program([self._age, "-R", self._recipients, "-o", target, source]))

    def open(self, source: Path, target: Path) -> None:
        """Decrypt."""
        run(Program([self._age, "-d", "-i", self._identity, "-o", target, source]))


@dataclass(frozen=True, slots=True)
class Tink:
    """Tink's streaming AEAD in a process that has started already (`tink_child`)."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def seal(self, source: Path, target: Path) -> None:
        """Encrypt."""
        self._do("seal", source, target)

    def open(self, source: Path, target: Path) -> None:
        """Decrypt."""
        self._do("open", source, target)

    def expect(self, answer: bytes) -> None:
        """Wait for a line.

        Raises:
            CheckError: it is another one, or the process ended.
        """
        line = self.stdout.readline().strip()
        if line != answer:
            raise CheckError(f"the process with Tink failed: it says {line!r}, not {answer!r}")

    def _do(self, action: str, source: Path, target: Path) -> None:
        self.stdin.write(f"{action} {source} {target}\n".encode())
        self.stdin.flush()
        self.expect(b"done")


@contextmanager
def running_tink() -> Iterator[Tink]:
    """A process with Tink that is ready, ended at the end."""
    program = Program([python_programs() / "python", _TINK])
    with child(program, stdin=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise CheckError("the process with Tink has no pipes")
        tink = Tink(process.stdin, process.stdout)
        tink.expect(b"ready")
        yield tink
