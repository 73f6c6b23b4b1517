"""A benchmark that cannot fail would prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks import table
from benchmarks.children import ChildError, Program, run
from benchmarks.table import CheckError, FailedResult, Peak, Race, RaceResult, Side


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Passes time without taking any."""
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(table.time, "perf_counter", lambda: now)
    return spend


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio", "reached"),
    [
        ([9, 1, 1, 1], [9, 2, 2, 2], 2.0, True),
        ([9, 1, 1, 8], [9, 2, 2, 2], 2.0, True),
        ([1, 2, 2, 2], [9, 2.5, 2.5, 2.5], 1.25, False),
        # Never rounded up to what was missed.
        ([1, 1, 1, 1], [2, 1.4999, 1.4999, 1.4999], 1.49, False),
    ],
    ids=["reached", "one-disturbed", "missed", "just-missed"],
)
def test_median_of_all_rounds_but_the_first(
    spend: Callable[[float], None],
    ours: list[float],
    theirs: list[float],
    ratio: float,
    reached: bool,
) -> None:
    untimed = Side(
        run=lambda: spend(ours.pop(0)), before=lambda: spend(100), check=lambda: spend(100)
    )
    race = Race("ours", "theirs", 1.5, 8 << 20, untimed, Side(run=lambda: spend(theirs.pop(0))))

    result = table.measure("race", race, rounds=3)

    assert isinstance(result, RaceResult)
    assert (result.ratio, result.reached) == (ratio, reached)
    assert ("TOO SLOW" in table.as_text([result])) is not reached


def test_what_a_side_says_that_counts(spend: Callable[[float], None]) -> None:
    ours = Side(run=lambda: spend(100), took=lambda: 1.0)
    result = table.measure("race", Race("a", "b", 0.9, 1, ours, Side(lambda: spend(3))), rounds=1)

    assert isinstance(result, RaceResult)
    assert (result.ours_seconds, result.theirs_seconds, result.ratio) == (1, 3, 3)


@pytest.mark.parametrize(("peaks", "reached"), [([90, 100], True), ([100.1, 90], False)])
def test_highest_peak_of_all_rounds(peaks: list[float], reached: bool) -> None:
    result = table.measure("peak", Peak("ours", 100, 8 << 20, lambda: peaks.pop(0)), rounds=2)

    assert result.reached is reached
    assert ("TOO MUCH" in table.as_text([result])) is not reached


def test_failed_row_is_never_reached() -> None:
    result = FailedResult("race", "there is no object")

    assert not result.reached
    assert table.as_text([result]) == "race FAILED: there is no object"
    assert table.as_document([result])[0]["reached"] is False


def test_work_that_was_not_done_ends_the_row() -> None:
    def check() -> None:
        raise CheckError("nothing is there")

    side = Side(run=table.nothing, check=check)
    with pytest.raises(CheckError, match="nothing is there"):
        table.measure("race", Race("ours", "theirs", 1, 1, side, side), rounds=1)


@pytest.mark.parametrize(
    "pipe", [("false", "cat"), ("cat", "false")], ids=["first-fails", "last-fails"]
)
def test_any_program_of_a_pipe_may_fail_it(pipe: tuple[str, str]) -> None:
    with pytest.raises(ChildError, match="exit codes"):
        run(*(Program([name]) for name in pipe))


def test_pipe_gives_what_the_last_program_prints() -> None:
    assert run(Program(["echo", "bytes"]), Program(["tr", "a-z", "A-Z"])) == b"BYTES\n"
