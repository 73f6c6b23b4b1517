"""Run the model that `sealyard device run` keeps up to date, with no plaintext on any disk.

    python infer.py coins

The model is opened into memory, and onnxruntime reads it from there by a path that no folder has.
Reopening asks the index again: a release that was revoked meanwhile opens no more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime

from sealyard import device


def load(model: str, state: Path) -> onnxruntime.InferenceSession:
    """A session with the release that is current; the memory is given back once it is loaded."""
    with device.current(model, state=state).memory() as opened:
        return onnxruntime.InferenceSession(opened.path, providers=["CPUExecutionProvider"])


def main() -> None:
    """Load the model, and run it once on noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/sealyard"))
    told = parser.parse_args()

    session = load(told.model, told.state)
    (wanted,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
    noise = np.random.default_rng(0).random(shape, dtype=np.float32)
    values = session.run(None, {wanted.name: noise})
    for output, value in zip(session.get_outputs(), values, strict=True):
        print(f"{output.name}: {value.shape}")


if __name__ == "__main__":
    main()
