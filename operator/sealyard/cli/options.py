"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sealyard.delivery.pull import Progress
from sealyard.errors import InvalidError, MissingError
from sealyard.sealing.keyring import KEYRING_MAX_BYTES, FleetKey, Keyring
from sealyard.sealing.slots import KEY_BYTES, OpeningKeys

KeyringOption: TypeAlias = Annotated[
    Path | None, typer.Option("--keyring", help="The file keyring.json that opens the parts.")
]
FleetKeyOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--fleet-key-file",
        help="The key of a legacy device (aes-256-cbc-v1): 32 bytes, or their hex or base64.",
    ),
]
VariantOption: TypeAlias = Annotated[
    str | None, typer.Option("--variant", help="Which variant; not needed where there is one.")
]
OutputOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Where the opened model goes (mode 0600). A plaintext cannot be withdrawn.",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document.")
]

_FLEET_KEY_FILE_MAX = 1024


def opening_keys(keyring: Path | None, fleet_key_file: Path | None) -> OpeningKeys:
    """The keys from whichever file was named.

    Raises:
        InvalidError: none or both were, or the file holds no key.
        MissingError: the file cannot be read.
    """
    if (keyring is None) == (fleet_key_file is None):
        raise InvalidError("give exactly one of --keyring and --fleet-key-file")
    if keyring is not None:
        return Keyring.parse(_read(keyring, KEYRING_MAX_BYTES))
    assert fleet_key_file is not None  # noqa: S101 - for the type checker; said just above
    return FleetKey(_fleet_key(fleet_key_file))


def progress_line(label: str) -> Progress:
    """A line that tells how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown:
            shown = percent
            end = "\n" if done >= total else ""
            print(f"\r{label} {percent:3d} %", end=end, file=sys.stderr, flush=True)

    return show


def _fleet_key(path: Path) -> bytes:
    raw = _read(path, _FLEET_KEY_FILE_MAX)
    if len(raw) == KEY_BYTES:
        return raw
    text = raw.strip()
    try:
        return (
            bytes.fromhex(text.decode())
            if len(text) == 64
            else base64.b64decode(text, validate=True)
        )
    except (UnicodeDecodeError, ValueError, binascii.Error):
        raise InvalidError(
            f"--fleet-key-file: {path} must hold {KEY_BYTES} bytes, or their hex or base64"
        ) from None


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise MissingError(f"{path}: cannot be read ({error.strerror})") from None
