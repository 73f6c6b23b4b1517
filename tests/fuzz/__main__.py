"""Runs one target: `PYTHONPATH=tests python -m fuzz header .fuzz/header -max_total_time=300`.

What follows the corpus goes to libFuzzer as it stands. An input that is found to break the target
is written beside the corpus; give that file as one more argument to run it alone.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import atheris

from fuzz.mutations import mutated_json

with atheris.instrument_imports(include=["sealyard"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Lay the seeds into the corpus, and search from there."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("corpus", type=Path, help="a folder; what is found interesting is kept")
    options, flags = parser.parse_known_args()
    target = TARGETS[options.target]
    options.corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (options.corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    prefix = f"-artifact_prefix={options.corpus}-"
    arguments = [sys.argv[0], str(options.corpus), prefix, *flags]
    if target.json:
        atheris.Setup(arguments, target, custom_mutator=_json_mutator)
    else:
        atheris.Setup(arguments, target)
    atheris.Fuzz()


def _json_mutator(raw: bytes, max_size: int, seed: int) -> bytes:
    return mutated_json(raw, max_size, seed, atheris.Mutate)


if __name__ == "__main__":
    main()
