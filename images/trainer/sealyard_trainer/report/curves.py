"""Reads results.csv."""

from __future__ import annotations

import csv
import io
import math

from sealyard_trainer.curve import EPOCH, TIME
from sealyard_trainer.report.model import Curves

MOST_POINTS = 400


def parse_curves(text: str) -> Curves:
    """The columns of a results.csv; at most `MOST_POINTS` of its rows, the last one among them."""
    header, *rows = [row for row in csv.reader(io.StringIO(text)) if row]
    step = math.ceil(len(rows) / MOST_POINTS)
    # From the end, so that the last epoch is there.
    kept = rows[::-1][::step][::-1]
    values = {name: tuple(float(row[at]) for row in kept) for at, name in enumerate(header)}
    return Curves(
        epochs=tuple(int(epoch) for epoch in values.pop(EPOCH)),
        seconds=values.pop(TIME)[-1],
        columns=values,
    )
