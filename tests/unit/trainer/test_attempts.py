from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sealyard_trainer.attempts import ATTEMPTS_FILE, KEPT, Attempt, note_attempt


def attempt(number: int) -> Attempt:
    started = datetime(2026, 11, 26, tzinfo=UTC)
    return Attempt(number=number, from_epoch=3 * (number - 1), started_at=started)


def test_attempts_are_remembered_in_order(tmp_path: Path) -> None:
    assert note_attempt(tmp_path, attempt(1)) == [attempt(1)]
    assert note_attempt(tmp_path, attempt(2)) == [attempt(1), attempt(2)]


def test_what_cannot_be_read_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / ATTEMPTS_FILE).write_text("[{")
    assert note_attempt(tmp_path, attempt(4)) == [attempt(4)]


def test_old_ones_are_forgotten(tmp_path: Path) -> None:
    for number in range(1, 4):
        note_attempt(tmp_path, attempt(number))
    line = (tmp_path / ATTEMPTS_FILE).read_text()[1:-1]
    (tmp_path / ATTEMPTS_FILE).write_text(f"[{','.join([line] * KEPT)}]")
    assert len(note_attempt(tmp_path, attempt(9))) == KEPT
