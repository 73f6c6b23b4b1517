"""How far a long piece of work is, on standard error.

On a terminal a bar; elsewhere a line every few seconds, for people or as JSON. Work that is soon
done says nothing. What a terminal can do is rich's to know (`NO_COLOR`, `TERM=dumb`).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from sealyard.delivery import pull

BAR_AFTER_SECONDS: Final = 0.5
LINE_EVERY_SECONDS: Final = 5.0


@contextmanager
def progress_of(
    what: str,
    *,
    as_json: bool = False,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[pull.Progress]:
    """What is told how many bytes of how many are done, and shows it until the block ends.

    Args:
        what: the work, as in "sealing coins 1.0.0".
        as_json: lines are JSON objects; a terminal gets its bar all the same.
        stream: where it goes; standard error if it is not said.
        clock: in seconds.
    """
    target = stream or sys.stderr
    console = Console(file=target)
    meter = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Figures(table_column=Column(no_wrap=True)),
        console=console,
        get_time=clock,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    meter.add_task(what, total=None)
    (task,) = meter.tasks
    # FORCE_COLOR makes rich take any file for a terminal; a bar wants a real one.
    drawn = console.is_interactive and target.isatty()
    seconds = BAR_AFTER_SECONDS if drawn else LINE_EVERY_SECONDS
    due = clock() + seconds

    def tell(done: int, total: int) -> None:
        nonlocal due
        meter.update(task.id, completed=done, total=total)
        if clock() < due:
            return
        due = clock() + seconds
        if drawn:
            meter.start()  # once; from then on it draws itself
        else:
            print(_line(task, as_json=as_json), file=target, flush=True)

    try:
        yield tell
    finally:
        if drawn:
            meter.stop()


class _Figures(ProgressColumn):
    """The figures of a line, beside the bar."""

    def render(self, task: Task) -> Text:
        """What stands in the column."""
        return Text(_figures(task))


def _line(task: Task, *, as_json: bool) -> str:
    return json.dumps(_document(task)) if as_json else f"{task.description}: {_figures(task)}"


def _figures(task: Task) -> str:
    said = [
        f"{task.percentage:.0f} %",
        f"{_mebibytes(task.completed)} of {_mebibytes(task.total or 0)} MiB",
    ]
    if task.speed:
        said.append(f"{_mebibytes(task.speed)} MiB/s")
    if task.time_remaining:
        said.append(f"{timedelta(seconds=task.time_remaining)} left")
    return ", ".join(said)


def _mebibytes(size: float) -> str:
    mebibytes = size / (1 << 20)
    return f"{mebibytes:.{0 if mebibytes >= 100 else 1}f}"


def _document(task: Task) -> dict[str, object]:
    speed, remaining = task.speed, task.time_remaining
    return {
        "progress": task.description,
        "doneBytes": int(task.completed),
        "totalBytes": int(task.total or 0),
        "percent": int(task.percentage),
        "bytesPerSecond": None if speed is None else int(speed),
        "etaSeconds": None if remaining is None else int(remaining),
    }
