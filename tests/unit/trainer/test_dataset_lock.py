from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealyard.errors import IntegrityError
from sealyard_trainer.dataset_check import Inspection
from sealyard_trainer.dataset_lock import (
    LOCK_FILE,
    Verdict,
    compare_with_lock,
    is_pinned,
    read_lock,
    write_lock,
)

SPLITS = {"train": "1" * 64, "val": "2" * 64}
PICTURES, BOXES = {"train": 3, "val": 1}, {"train": 4, "val": 2}
SEEN = Inspection("a" * 64, "f" * 64, SPLITS, PICTURES, BOXES)
OTHER_CONTENT = Inspection(
    "b" * 64, "f" * 64, SPLITS, {"train": 3, "val": 1}, {"train": 4, "val": 2}
)
OTHER_FILES = Inspection("c" * 64, "e" * 64, SPLITS, {"train": 4, "val": 1}, BOXES)
BEFORE = datetime.now(UTC) - timedelta(hours=1)
LATER = datetime.now(UTC) + timedelta(hours=1)


def compare(
    folder: Path,
    inspection: Inspection = SEEN,
    *,
    owner_uid: str = "uid-1",
    software: str = "torch 2",
    requested_at: datetime | None = None,
) -> Verdict:
    return compare_with_lock(
        folder, inspection, owner_uid=owner_uid, software=software, requested_at=requested_at
    )


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    write_lock(tmp_path, SEEN, owner_uid="uid-1", software="torch 2")
    return tmp_path


def test_the_first_attempt_begins(tmp_path: Path) -> None:
    assert compare(tmp_path) is Verdict.FRESH


@pytest.mark.parametrize(
    ("owner_uid", "software", "requested_at", "verdict"),
    [
        ("uid-1", "torch 2", None, Verdict.RESUME),
        ("uid-1", "torch 2", LATER, Verdict.RESUME),
        # The operator pins the image of all attempts; a run is not thrown away over it.
        ("uid-1", "torch 3", None, Verdict.RESUME),
        ("uid-2", "torch 2", None, Verdict.RESUME),
        ("uid-2", "torch 3", None, Verdict.FRESH),
    ],
)
def test_the_same_dataset(
    locked: Path, owner_uid: str, software: str, requested_at: datetime | None, verdict: Verdict
) -> None:
    found = compare(locked, owner_uid=owner_uid, software=software, requested_at=requested_at)
    assert found is verdict


@pytest.mark.parametrize("requested_at", [None, BEFORE])
@pytest.mark.parametrize(
    ("inspection", "message"),
    [
        (OTHER_CONTENT, "pictures, labels or names have other contents; put it back, or set"),
        (OTHER_FILES, r"pictures were added, removed or renamed \(4 before, 5 now\); put it back"),
    ],
)
def test_another_dataset_is_refused(
    locked: Path, inspection: Inspection, message: str, requested_at: datetime | None
) -> None:
    with pytest.raises(IntegrityError, match=message):
        compare(locked, inspection, requested_at=requested_at)


@pytest.mark.parametrize(
    ("owner_uid", "requested_at", "pinned"),
    [
        ("uid-1", None, True),
        ("uid-1", BEFORE, True),
        ("uid-1", LATER, False),
        ("uid-2", None, False),
    ],
)
def test_what_counts_of_an_earlier_attempt(
    locked: Path, owner_uid: str, requested_at: datetime | None, pinned: bool
) -> None:
    lock = read_lock(locked)
    assert is_pinned(lock, owner_uid=owner_uid, requested_at=requested_at) is pinned
    assert not is_pinned(None, owner_uid=owner_uid, requested_at=requested_at)


def test_another_dataset_is_begun_with_when_somebody_asks(locked: Path) -> None:
    assert compare(locked, OTHER_FILES, requested_at=LATER) is Verdict.FRESH


def test_another_run_of_the_same_name_may_have_another_dataset(locked: Path) -> None:
    assert compare(locked, OTHER_FILES, owner_uid="uid-2") is Verdict.FRESH


def test_a_lock_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("{")
    with pytest.raises(IntegrityError, match=r"dataset\.lock .* delete the folder"):
        compare(tmp_path)


def test_other_weights_are_another_beginning(tmp_path: Path) -> None:
    write_lock(tmp_path, SEEN, owner_uid="uid-1", software="torch 2", weights="a" * 64)

    def verdict(owner_uid: str, weights: str, requested_at: datetime | None = None) -> Verdict:
        return compare_with_lock(
            tmp_path,
            SEEN,
            owner_uid=owner_uid,
            software="torch 2",
            requested_at=requested_at,
            weights=weights,
        )

    assert verdict("uid-1", "a" * 64) is Verdict.RESUME
    assert verdict("uid-2", "b" * 64) is Verdict.FRESH
    assert verdict("uid-1", "b" * 64, LATER) is Verdict.FRESH
    with pytest.raises(IntegrityError, match="the weights changed since the first attempt"):
        verdict("uid-1", "b" * 64)
