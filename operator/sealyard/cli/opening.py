"""`sealyard open` and `sealyard inspect`: sealed parts that were kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sealyard.cli.options import (
    FleetKeyOption,
    JsonOption,
    KeyringOption,
    VariantOption,
    opening_keys,
    progress_line,
)
from sealyard.cli.report import show_pulled
from sealyard.delivery.kept import kept_manifest
from sealyard.delivery.pull import open_kept

SealedArgument = Annotated[
    Path, typer.Argument(help="A folder that `sealyard pull --sealed-dir` has filled.")
]


def open_command(
    sealed: SealedArgument,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where the opened model goes (mode 0600)."),
    ],
    keyring: KeyringOption = None,
    fleet_key_file: FleetKeyOption = None,
    variant: VariantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a variant from its kept parts, without any network."""
    pulled = open_kept(
        sealed,
        variant,
        keys=opening_keys(keyring, fleet_key_file),
        output=output,
        progress=progress_line(str(sealed)),
    )
    show_pulled(pulled, as_json=as_json)


def inspect(sealed: SealedArgument) -> None:
    """Print the manifest of kept parts. Needs no key, and proves nothing."""
    manifest, sha256 = kept_manifest(sealed)
    print(manifest.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    typer.echo(f"SHA-256 {sha256}", err=True)
