"""`sealyard open` and `sealyard inspect`: sealed parts that were kept in a folder."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from sealyard.cli.options import (
    FleetKeyOption,
    JsonOption,
    KeyringOption,
    VariantOption,
    opening_keys,
)
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_pulled
from sealyard.delivery.kept import kept_manifest
from sealyard.delivery.pull import open_kept, open_kept_range
from sealyard.errors import InvalidError
from sealyard.sealing.layout import Range

SealedArgument = Annotated[
    Path, typer.Argument(help="A folder that `seal` or `pull --sealed-dir` has filled.")
]


def open_command(
    sealed: SealedArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the opened model goes (mode 0600)."),
    ] = None,
    wanted: Annotated[
        str | None,
        typer.Option(
            "--range",
            metavar="OFFSET:LENGTH",
            help="Write only these bytes of the model, to standard output.",
        ),
    ] = None,
    keyring: KeyringOption = None,
    fleet_key_file: FleetKeyOption = None,
    variant: VariantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a variant from its kept parts, without any network.

    With --range only the segments that it touches are opened, each checked before it is written.
    """
    if (output is None) == (wanted is None):
        raise InvalidError("give exactly one of --output and --range")
    keys = opening_keys(keyring, fleet_key_file)
    if wanted is not None:
        for piece in open_kept_range(sealed, variant, _range(wanted), keys=keys):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    with progress_of(f"opening {sealed}", as_json=as_json) as progress:
        pulled = open_kept(sealed, variant, keys=keys, output=output, progress=progress)
    show_pulled(pulled, as_json=as_json)


def inspect(sealed: SealedArgument) -> None:
    """Print the manifest of kept parts. Needs no key, and proves nothing."""
    manifest, sha256 = kept_manifest(sealed)
    print(manifest.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    typer.echo(f"SHA-256 {sha256}", err=True)


def _range(text: str) -> Range:
    match = re.fullmatch(r"([0-9]{1,13}):([0-9]{1,13})", text)
    if match is None:
        raise InvalidError(f"--range: {text[:40]!r} must be OFFSET:LENGTH, in bytes")
    return Range(int(match[1]), int(match[2]))
