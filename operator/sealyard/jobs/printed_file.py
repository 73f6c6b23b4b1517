"""A file of a pod, brought out through its log: a way that needs no right but to read logs.

`python -m sealyard.jobs.printed_file PATH` prints it, compressed and in lines that no log driver
cuts, between two markers; `parse` finds it among whatever else the log holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.jobs.workspace import read_record

BEGIN, END = "-----BEGIN SEALYARD FILE", "-----END SEALYARD FILE-----"
LINE_CHARACTERS = 4000
MAX_BYTES = 32 << 20
"""Of the file."""
MAX_COMPRESSED_BYTES = 6 << 20
"""In base64 they fit into the 10 MiB after which a kubelet begins a new log."""

_PRINTED = re.compile(
    rb"^%s ([0-9a-f]{64})-----\n([A-Za-z0-9+/=\n]*)^%s$" % (BEGIN.encode(), END.encode()),
    re.MULTILINE,
)


def format_file(content: bytes) -> str:
    """The lines that hold a file.

    Raises:
        IntegrityError: a log does not hold so much.
    """
    compressed = zlib.compress(content, 9)
    if len(content) > MAX_BYTES or len(compressed) > MAX_COMPRESSED_BYTES:
        raise IntegrityError(
            f"the file has more than {MAX_BYTES} bytes, or compressed more than "
            f"{MAX_COMPRESSED_BYTES}; so much cannot be brought out through a log"
        )
    text = base64.b64encode(compressed).decode()
    starts = range(0, len(text), LINE_CHARACTERS)
    lines = [text[start : start + LINE_CHARACTERS] for start in starts]
    digest = hashlib.sha256(content).hexdigest()
    return "\n".join([f"{BEGIN} {digest}-----", *lines, END, ""])


def parse(log: bytes) -> bytes:
    """The file in a log.

    Raises:
        IntegrityError: there is none, it is cut off, or it is not what was printed.
    """
    found = _PRINTED.search(log)
    if not found:
        raise IntegrityError("the pod's log holds no whole file")
    digest, text = found.groups()
    try:
        reader = zlib.decompressobj()
        content = reader.decompress(base64.b64decode(text), MAX_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise IntegrityError("the file in the pod's log cannot be read") from error
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise IntegrityError("the file in the pod's log is not what its first line says")
    return content


def main(arguments: Sequence[str]) -> int:
    """Print the file that the only argument names, and give the exit code."""
    try:
        print_file(Path(arguments[0]))
    except SealyardError as error:
        print(error, file=sys.stderr)  # noqa: T201 - likewise
        return error.exit_code
    return 0


def print_file(path: Path) -> None:
    """Print one.

    Raises:
        MissingError: it cannot be read.
        IntegrityError: it is no file, or too long.
    """
    print(format_file(_read(path)), end="")  # noqa: T201 - what it is for


def _read(path: Path) -> bytes:
    try:
        content = read_record(path, MAX_BYTES + 1)
    except OSError as error:
        raise MissingError(f"{path}: cannot be read ({error.strerror})") from error
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
