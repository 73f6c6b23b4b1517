"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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

_KEY_FILE_MAX = 1024


def opening_keys(keyring: Path | None, fleet_key_file: Path | None) -> OpeningKeys:
    """The keys from whichever file was named.

    Raises:
        InvalidError: none or both were, or the file holds no key.
        MissingError: the file cannot be read.
    """
    if (keyring is None) == (fleet_key_file is None):
        raise InvalidError("give exactly one of --keyring and --fleet-key-file")
    if keyring is not None:
        return Keyring.parse(read_file(keyring, KEYRING_MAX_BYTES))
    assert fleet_key_file is not None  # noqa: S101 - for the type checker; said just above
    return FleetKey(key_in(fleet_key_file, "--fleet-key-file"))


def key_in(path: Path, option: str) -> bytes:
    """The key in a file: 32 bytes as they are, or in hex or base64.

    Args:
        path: the file; its content is in no message.
        option: what named it.

    Raises:
        InvalidError: it holds no key.
        MissingError: it cannot be read.
    """
    raw = read_file(path, _KEY_FILE_MAX)
    key = raw if len(raw) == KEY_BYTES else _decoded(raw.strip())
    if key is None or len(key) != KEY_BYTES:
        # Raised here and not in a handler: the cause would carry what was read.
        raise InvalidError(f"{option}: {path} must hold {KEY_BYTES} bytes, or their hex or base64")
    return key


def read_file(path: Path, limit: int) -> bytes:
    """A file's first `limit` bytes, and one more where it is longer.

    Raises:
        MissingError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise MissingError(f"{path}: cannot be read ({error.strerror})") from None


def _decoded(text: bytes) -> bytes | None:
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text.decode())
        return base64.b64decode(text, validate=True)
    except ValueError:  # of hex, of base64 and of UTF-8 alike
        return None
