"""When a checkpoint is due: once what comes behind the last one costs as much to read."""

from __future__ import annotations

import pytest

from sealyard_router.checkpoints import ENTRY_BYTES, FEWEST_BYTES, Reading

FEW = FEWEST_BYTES // ENTRY_BYTES


@pytest.mark.parametrize(
    ("entries", "size", "checkpoint", "is_long"),
    [
        (0, 0, 0, False),
        (FEW - 1, 0, 0, False),
        (FEW, 0, 0, True),
        (2, FEWEST_BYTES // 2, 0, True),
        (FEW, 0, FEWEST_BYTES + 1, False),
        (4 * FEW, 0, 4 * FEWEST_BYTES, True),
    ],
)
def test_it_is_due(entries: int, size: int, checkpoint: int, is_long: bool) -> None:
    reading = Reading(checkpoint_bytes=checkpoint)
    for _ in range(entries):
        reading.add(size)
    assert reading.is_long is is_long
    reading.restart()
    assert not reading.is_long
