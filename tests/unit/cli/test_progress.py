from __future__ import annotations

import contextlib
import io
import json
import os
import pty
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import pytest

from sealyard.cli.progress import progress_of

MIB = 1 << 20
WORK = "sealing coins 1.0.0"


@dataclass
class Clock:
    """Stands still until it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Screen:
    """A real terminal: what is written to `stream` is what a person would see."""

    stream: TextIO
    other_end: int

    def shown(self) -> str:
        self.stream.flush()
        os.set_blocking(self.other_end, False)
        pieces = []
        with contextlib.suppress(BlockingIOError):
            while True:
                pieces.append(os.read(self.other_end, 1 << 16))
        return b"".join(pieces).decode()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    other_end, end = pty.openpty()
    with open(end, "w") as stream:  # noqa: PTH123 - of a descriptor
        yield Screen(stream, other_end)
    os.close(other_end)


def steps(stream: TextIO, *, seconds: float, as_json: bool = False, count: int = 4) -> None:
    """So much work of 100 MiB each, each taking so long."""
    clock = Clock()
    with progress_of(WORK, as_json=as_json, stream=stream, clock=clock) as tell:
        for step in range(1, count + 1):
            clock.now += seconds
            tell(step * 100 * MIB, count * 100 * MIB)


def test_a_terminal_shows_a_bar(screen: Screen) -> None:
    steps(screen.stream, seconds=2)
    shown = screen.shown()
    assert f"{WORK} " in shown
    assert "100 %, 400 of 400 MiB, 50.0 MiB/s" in shown
    assert "━" in shown
    assert "\x1b[9" in shown  # a colour
    assert shown.endswith("\r\n\x1b[?25h")  # the cursor is back


def test_a_bar_says_how_long_it_will_take(screen: Screen) -> None:
    clock = Clock()
    with progress_of(WORK, stream=screen.stream, clock=clock) as tell:
        for done in (100, 200):
            clock.now += 4
            tell(done * MIB, 1000 * MIB)
    assert "20 %, 200 of 1000 MiB, 25.0 MiB/s, 0:00:32 left" in screen.shown()


def test_a_bar_has_no_colours_where_nobody_wants_them(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    steps(screen.stream, seconds=2)
    shown = screen.shown()
    assert "100 %" in shown
    assert "\x1b[9" not in shown


def test_a_terminal_that_can_do_nothing_gets_lines(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    steps(screen.stream, seconds=5)
    shown = screen.shown()
    assert f"{WORK}: 25 %, 100 of 400 MiB\r\n" in shown
    assert "\x1b" not in shown


def test_short_work_says_nothing(screen: Screen) -> None:
    plain, as_json = io.StringIO(), io.StringIO()
    steps(screen.stream, seconds=0.1)
    steps(plain, seconds=1)
    steps(as_json, seconds=1, as_json=True)
    assert (screen.shown(), plain.getvalue(), as_json.getvalue()) == ("", "", "")


def test_a_file_gets_a_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    log = io.StringIO()
    steps(log, seconds=2.5, count=5)
    assert log.getvalue().splitlines() == [
        f"{WORK}: 40 %, 200 of 500 MiB, 40.0 MiB/s, 0:00:08 left",
        f"{WORK}: 80 %, 400 of 500 MiB, 40.0 MiB/s, 0:00:03 left",
    ]


def test_a_program_gets_json() -> None:
    log = io.StringIO()
    steps(log, seconds=2.5, as_json=True)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert lines == [
        {
            "progress": WORK,
            "doneBytes": 200 * MIB,
            "totalBytes": 400 * MIB,
            "percent": 50,
            "bytesPerSecond": 40 * MIB,
            "etaSeconds": 5,
        },
        {
            "progress": WORK,
            "doneBytes": 400 * MIB,
            "totalBytes": 400 * MIB,
            "percent": 100,
            "bytesPerSecond": 40 * MIB,
            "etaSeconds": 0,
        },
    ]


def test_nothing_is_as_good_as_much() -> None:
    log, clock = io.StringIO(), Clock()
    with progress_of("opening [b]", stream=log, clock=clock) as tell:
        clock.now += 10
        tell(0, 0)
    assert log.getvalue() == "opening [b]: 0 %, 0.0 of 0.0 MiB\n"


def test_a_bar_ends_also_where_the_work_fails(screen: Screen) -> None:
    def fail() -> None:
        clock = Clock()
        with progress_of(WORK, stream=screen.stream, clock=clock) as tell:
            clock.now += 1
            tell(1, 2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert screen.shown().endswith("\r\n\x1b[?25h")
