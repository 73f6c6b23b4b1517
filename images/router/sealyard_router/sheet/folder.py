"""A sheet of a storage folder on this machine: `python -m sealyard_router.sheet.folder`.

`sealyard annotations preview --folder` runs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealyard.delivery.annotation_storage import FolderStorage
from sealyard.errors import MissingError, SealyardError
from sealyard.jobs.workspace import write_atomic
from sealyard_router.sheet.collecting import collect
from sealyard_router.sheet.page import render


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet and give the exit code."""
    parser = argparse.ArgumentParser(description="Shows what a route has filed as one HTML page.")
    parser.add_argument("folder", type=Path, help="the folder with journal/")
    parser.add_argument("--output", type=Path, required=True, help="where the page goes")
    parser.add_argument("--pictures", type=int, required=True, help="how many at most")
    options = parser.parse_args(arguments)
    try:
        _write(options.folder.absolute(), options.output.absolute(), options.pictures)
    except SealyardError as error:
        sys.stderr.write(f"sealyard: {' '.join(str(error).split())}\n")
        return error.exit_code
    return 0


def _write(folder: Path, output: Path, pictures: int) -> None:
    if not (folder / "journal").is_dir():
        raise MissingError(f"{folder} has no journal/: is it the storage of an AnnotationRoute?")
    sheet = collect(FolderStorage(folder), folder.name, pictures=pictures)
    try:
        write_atomic(output, render(sheet).encode())
    except OSError as error:
        raise MissingError(f"{output}: cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    sys.exit(main())
