"""Writes what is generated from the types: `crds/*.yaml` and `docs/reference.md`.

python -m sealyard.api.generate            # writes
python -m sealyard.api.generate --check    # writes nothing; exit code 1 if a file is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from sealyard.api.crd import KINDS, definition
from sealyard.api.kind import GROUP
from sealyard.api.reference import reference

REPOSITORY = Path(__file__).parents[3]
NOTE = "# Written by `make generate` from sealyard.api; change the types, not this file.\n"


class _Dumper(yaml.SafeDumper):
    """Repeats what is repeated: an anchor in a CRD helps nobody."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class calls it so
        return True


def files() -> dict[str, str]:
    """Every generated file's content, by its path in the repository."""
    written = {"docs/reference.md": reference()}
    for kind in KINDS:
        text = yaml.dump(
            definition(kind), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
        )
        written[f"crds/{GROUP}_{kind.PLURAL}.yaml"] = NOTE + text
    return written


def stale(root: Path) -> list[str]:
    """The generated files that are missing, or not what the types say now."""
    return [
        path
        for path, content in files().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != content
    ]


def main(arguments: list[str] | None = None) -> int:
    """Writes the files, or says which are out of date."""
    parser = argparse.ArgumentParser(description="Write what is generated from the types.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository's folder")
    options = parser.parse_args(arguments)
    out_of_date = stale(options.root)
    if options.check:
        for path in out_of_date:
            sys.stderr.write(f"{path} is out of date: run make generate\n")
        return 1 if out_of_date else 0
    contents = files()
    for path in out_of_date:
        target = options.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(contents[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
