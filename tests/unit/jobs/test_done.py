from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealyard.api.answers import Answer
from sealyard.errors import InvalidError
from sealyard.jobs.done import (
    DONE_FILE,
    parse_requested_at,
    read_done,
    remove_done,
    write_done,
)

ANSWER = Answer(message="done", result={"files": 1})
INPUTS = {"dataset": "a" * 64, "software": "torch 2"}


def test_the_answer_comes_back(tmp_path: Path) -> None:
    write_done(tmp_path, owner_uid="uid-1", inputs=INPUTS, answer=ANSWER)
    done = read_done(tmp_path)
    assert done is not None
    assert done.answer == ANSWER


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ownerUid": "uid-1"}', "\udc80"])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / DONE_FILE).write_text(content, errors="surrogateescape")
    assert read_done(tmp_path) is None


def test_removing_it_twice_is_harmless(tmp_path: Path) -> None:
    write_done(tmp_path, owner_uid="uid-1", inputs=INPUTS, answer=ANSWER)
    remove_done(tmp_path)
    remove_done(tmp_path)
    assert read_done(tmp_path) is None


@pytest.mark.parametrize(
    ("owner_uid", "inputs", "serves"),
    [
        ("uid-1", INPUTS, True),
        ("uid-1", {**INPUTS, "software": "torch 3"}, True),
        ("uid-2", INPUTS, True),
        ("uid-2", {**INPUTS, "dataset": "b" * 64}, False),
        ("uid-2", {**INPUTS, "software": "torch 3"}, False),
        ("uid-2", {}, False),
    ],
)
def test_who_may_take_it(
    tmp_path: Path, owner_uid: str, inputs: dict[str, str], serves: bool
) -> None:
    done = write_done(tmp_path, owner_uid="uid-1", inputs=INPUTS, answer=ANSWER)
    assert done.serves(owner_uid=owner_uid, inputs=inputs) is serves


@pytest.mark.parametrize(
    ("requested", "holds"),
    [(None, True), (timedelta(seconds=-1), True), (timedelta(seconds=1), False)],
)
def test_a_newer_request_voids_it(tmp_path: Path, requested: timedelta | None, holds: bool) -> None:
    done = write_done(tmp_path, owner_uid="uid-1", inputs=INPUTS, answer=ANSWER)
    requested_at = None if requested is None else done.finished_at + requested
    assert done.holds(requested_at=requested_at) is holds


def test_the_time_of_a_request() -> None:
    assert parse_requested_at(None) is None
    assert parse_requested_at("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["now", "", "2026-01-31T12:00:00", "31.1.2026"])
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(InvalidError, match="a time such as 2026-01-31T12:00:00Z is wanted"):
        parse_requested_at(text)
