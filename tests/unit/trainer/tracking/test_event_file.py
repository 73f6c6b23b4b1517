from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sealyard_trainer.curve import Point
from sealyard_trainer.tracking.event_file import EVENTS, EventFile
from sealyard_trainer.tracking.event_format import kept_bytes

POINTS = [Point(epoch, epoch * 10.0, {"train/box_loss": 1 / epoch}) for epoch in range(1, 5)]


def epochs_in(folder: Path) -> int:
    """How many of the epochs 1, 2, … are there, and nothing after them."""
    content = (folder / EVENTS).read_bytes()
    number, end = kept_bytes(content, [point.epoch for point in POINTS])
    assert end == len(content)
    return number


@pytest.mark.parametrize("resumed_after", [0, 1, 2, 3])
@pytest.mark.parametrize("torn", [0, 3])
def test_a_resume_doubles_no_step_and_fills_what_is_missing(
    tmp_path: Path, resumed_after: int, torn: int
) -> None:
    first = EventFile(tmp_path / "events", [])
    for point in POINTS[:2]:
        first.add(point)
    assert epochs_in(tmp_path / "events") == 2  # while it is open
    first.close()
    with (tmp_path / "events" / EVENTS).open("ab") as file:
        file.write(b"\x10\0\0"[:torn])
    second = EventFile(tmp_path / "events", POINTS[:resumed_after])
    assert epochs_in(tmp_path / "events") == resumed_after
    for point in POINTS[resumed_after:]:
        second.add(point)
    second.close()
    assert epochs_in(tmp_path / "events") == 4


def test_what_cannot_be_written_is_said_once_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / EVENTS).symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING):
        events = EventFile(tmp_path, POINTS)
        events.add(POINTS[0])
        events.close()
    assert len(caplog.records) == 1
    assert "TensorBoard's file cannot be written" in caplog.text
    assert not (tmp_path / "elsewhere").exists()
