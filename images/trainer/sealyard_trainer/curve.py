"""results.csv: one row for each epoch of the whole run, however often it was interrupted.

Ultralytics appends to its own file, whose clock restarts with each attempt and which may have rows
of an epoch that was lost. Here each epoch stands once and the time only grows.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealyard.jobs.workspace import read_record, write_atomic

EPOCH, TIME = "epoch", "time"
MAX_BYTES = 64 << 20
"""Of some hundred thousand epochs."""
MOST_ROW_BYTES = 64 << 10
"""A row has some hundred."""


@dataclass(frozen=True, slots=True)
class Point:
    """One epoch of the curve."""

    epoch: int
    seconds: float
    """That were trained until its end, by all attempts."""
    figures: Mapping[str, float]
    """By ultralytics' names; what is no number is left out."""


class Curve:
    """The run's results.csv, in memory and on disk."""

    def __init__(self, path: Path, *, epochs: int) -> None:
        """Take up the file at `path` with the rows of the first `epochs` epochs."""
        self._path = path
        self._header: list[str] = []
        self._rows: list[list[str]] = []
        if path.exists() and epochs:
            self._header, *rows = list(csv.reader(io.StringIO(_read(path))))
            self._rows = [row for row in rows if int(row[0]) <= epochs]
        self._elapsed = float(self._rows[-1][1]) if self._rows else 0.0
        self.write()

    @property
    def points(self) -> list[Point]:
        """All of it, the first epoch first."""
        return [_point(self._header, row) for row in self._rows]

    def append(self, source: Path) -> Point:
        """Take over the newest row of ultralytics' own results.csv. It is not on disk yet."""
        header, row = _newest(source)
        if header[:2] != [EPOCH, TIME]:
            raise ValueError(f"results.csv begins with {header[:2]}; epoch and time were expected")
        epoch, seconds, *values = row
        self._header = header
        self._rows.append([epoch, f"{self._elapsed + float(seconds):.6g}", *values])
        return _point(self._header, self._rows[-1])

    def write(self) -> None:
        """Have on disk what is in memory."""
        if self._header:
            write_atomic(self._path, self._text().encode())
        else:
            self._path.unlink(missing_ok=True)

    def copy_to(self, path: Path) -> None:
        """Give ultralytics the rows of former attempts, for its plots."""
        path.write_text(self._text())

    def _text(self) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self._header, *self._rows])
        return text.getvalue()


def read_points(path: Path) -> list[Point]:
    """The curve of a run that is done."""
    header, *rows = list(csv.reader(io.StringIO(_read(path))))
    return [_point(header, row) for row in rows]


def _newest(source: Path) -> tuple[list[str], list[str]]:
    """The header and the last row of a file, of which no more is read however long it is."""
    with source.open("rb") as file:
        header = file.readline()
        file.seek(max(file.seek(0, io.SEEK_END) - MOST_ROW_BYTES, len(header)))
        row = file.read().splitlines()[-1]
    return header.decode().strip().split(","), row.decode().split(",")


def _point(header: list[str], row: list[str]) -> Point:
    epoch, seconds, *values = row
    figures = {name: float(value) for name, value in zip(header[2:], values, strict=True)}
    return Point(
        epoch=int(epoch),
        seconds=float(seconds),
        figures={name: value for name, value in figures.items() if math.isfinite(value)},
    )


def _read(path: Path) -> str:
    return read_record(path, MAX_BYTES).decode()
