"""The manifests that a command is given: files, folders of them, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sealyard.cli.options import read_file
from sealyard.errors import InvalidError

STANDARD_INPUT = "-"
SUFFIXES = frozenset({".yaml", ".yml", ".json"})
MAX_BYTES = 16 << 20

FilesArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(help="YAML files, folders of them, or - for standard input."),
]


def texts_of(files: list[str]) -> list[tuple[str, str]]:
    """Name and content of each.

    Raises:
        MissingError: one cannot be read.
        InvalidError: one is no text in UTF-8, or too long.
    """
    texts = []
    for name in files:
        if name == STANDARD_INPUT:
            texts.append(("standard input", _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), name)))
            continue
        path = Path(name)
        found = [path]
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES)
        texts += [(str(one), _decoded(read_file(one, MAX_BYTES), str(one))) for one in found]
    return texts


def _decoded(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise InvalidError(f"{name}: has more than {MAX_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidError(f"{name}: is no text in UTF-8") from None
