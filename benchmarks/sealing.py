"""Sealing and opening files in memory, against the programs that people would use instead."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.table import Row
from sealyard.delivery.kept import MANIFEST_FILE
from sealyard.delivery.pull import open_kept
from sealyard.delivery.seal import Subject, seal_file
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import FormatName

_KEY = ("-K", "00" * 32, "-iv", "00" * 16)
_VARIANTS = 2


def rows(folder: Path, size_bytes: int) -> Iterator[Row]:
    """The comparisons of sealing and opening.

    Args:
        folder: on a file system in memory; four times `size_bytes` are written there.
        size_bytes: of the plaintext.
    """
    keyring = Keyring.new(v1="fleet", v2="k1")
    plain = _plaintext(folder / "plain", size_bytes)
    theirs, sealed = folder / "theirs", folder / "sealed"

    yield Row(
        what="seal sealed-v2, digest included",
        against="openssl enc -aes-256-cbc, no digest",
        least=2.5,
        size_bytes=size_bytes,
        ours=lambda: _seal(plain, sealed, keyring, "sealed-v2"),
        theirs=lambda: _run("openssl", "enc", "-aes-256-cbc", *_KEY, "-in", plain, "-out", theirs),
    )
    yield Row(
        what="open sealed-v2, every check included",
        against="openssl enc -d | sha256sum",
        least=1.5,
        size_bytes=size_bytes,
        ours=lambda: open_kept(sealed, None, keys=keyring, output=None),
        theirs=lambda: _piped(theirs),
    )
    for path in (theirs, *sealed.iterdir(), plain):
        path.unlink()
    parts = [_plaintext(folder / f"plain-{n}", size_bytes // _VARIANTS) for n in range(_VARIANTS)]

    def seal_all() -> None:
        with ThreadPoolExecutor(_VARIANTS) as pool:
            list(
                pool.map(
                    lambda part: _seal(part, folder / f"{part.name}-v1", keyring, "aes-256-cbc-v1"),
                    parts,
                )
            )

    def encrypt_all() -> None:
        for part in parts:
            _run("openssl", "enc", "-aes-256-cbc", *_KEY, "-in", part, "-out", theirs)

    yield Row(
        what=f"aes-256-cbc-v1, {_VARIANTS} variants at once",
        against="openssl enc -aes-256-cbc, one after the other",
        least=1.3,
        size_bytes=size_bytes,
        ours=seal_all,
        theirs=encrypt_all,
    )


def _plaintext(path: Path, size_bytes: int) -> Path:
    block = os.urandom(1 << 24)
    with path.open("wb") as file:
        while file.tell() < size_bytes:
            file.write(block[: size_bytes - file.tell()])
    return path


def _seal(plain: Path, folder: Path, keyring: Keyring, sealing: FormatName) -> None:
    subject = Subject(
        context=ReleaseContext("bench", "1.0.0", "onnx-fp32"),
        format="onnx",
        precision="fp32",
        image_size=640,
    )
    seal_file(plain, folder, subject, keyring=keyring, sealing_format=sealing)
    if not (folder / MANIFEST_FILE).exists():
        raise AssertionError(f"{folder} has no manifest")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _piped(sealed: Path) -> None:
    with subprocess.Popen(
        ["openssl", "enc", "-d", "-aes-256-cbc", *_KEY, "-in", sealed], stdout=subprocess.PIPE
    ) as decrypting:
        subprocess.run(["sha256sum"], check=True, stdin=decrypting.stdout, capture_output=True)
    if decrypting.returncode:
        raise AssertionError("openssl failed")
