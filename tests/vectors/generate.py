"""Writes the test vectors; they change only with the format.

`PYTHONPATH=tests python -m vectors.generate`
"""

from __future__ import annotations

from pathlib import Path

from vectors.making import encode
from vectors.of_aes_cbc_v1 import v1_all, v1_for_a_legacy_device
from vectors.of_sealed_v2 import v2_that_open, v2_with_a_wrong_body, v2_with_a_wrong_core

HERE = Path(__file__).parent


def all_vectors() -> dict[str, bytes]:
    """Every vector file by name."""
    made = v2_that_open() | v2_with_a_wrong_core() | v2_with_a_wrong_body()
    made |= v1_all() | v1_for_a_legacy_device()
    return {f"{name}.vector": encode(one) for name, one in made.items()}


def main() -> None:
    for stale in HERE.glob("*.vector"):
        stale.unlink()
    for name, raw in all_vectors().items():
        (HERE / name).write_bytes(raw)


if __name__ == "__main__":
    main()
