"""What the first of several nodes tells the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.errors import IntegrityError, MissingError, UnavailableError
from sealyard_trainer.shared_start import (
    SHARED_FILE,
    SharedStart,
    read_shared_start,
    write_shared_start,
)

START = SharedStart(work="work-pod-1", start="weights/last.pt", resumes=True, dataset="a" * 64)


def test_it_comes_as_it_went(tmp_path: Path) -> None:
    write_shared_start(tmp_path, START)
    assert read_shared_start(tmp_path) == START


def test_another_volume_is_named_as_the_fault(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="all nodes must mount the same volume"):
        read_shared_start(tmp_path)


def test_a_dataset_that_another_node_has_not_is_fetched_anew() -> None:
    START.check_dataset("a" * 64)
    with pytest.raises(
        UnavailableError, match="changed while the nodes fetched it: this one has b"
    ):
        START.check_dataset("b" * 64)


def test_what_is_broken_is_refused(tmp_path: Path) -> None:
    (tmp_path / SHARED_FILE).write_text("{}")
    with pytest.raises(IntegrityError):
        read_shared_start(tmp_path)
