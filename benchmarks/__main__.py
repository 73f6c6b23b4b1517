"""`make bench`: print the table, write it as JSON, and fail where a ratio is not reached."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import sealing
from benchmarks.table import as_document, as_text, measure

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a disk would hide everything


def main() -> int:
    """0 if every ratio is reached, else 1."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=2048, help="of plaintext")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the results there too")
    options = parser.parse_args()
    print(f"{options.mebibytes} MiB in memory, median of {options.rounds} rounds,", end=" ")
    print(f"{len(os.sched_getaffinity(0))} cores", flush=True)
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        results = [
            measure(row, rounds=options.rounds)
            for row in sealing.rows(Path(folder), options.mebibytes << 20)
        ]
    print(as_text(results))
    if options.json:
        options.json.write_text(json.dumps(as_document(results), indent=1) + "\n")
    return 0 if all(result.reached for result in results) else 1


sys.exit(main())
