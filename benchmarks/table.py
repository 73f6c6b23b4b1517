"""Rows of ours against theirs: interleaved rounds, medians, a ratio that must be reached."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        what: ours.
        against: theirs.
        least: the ratio of throughputs, ours to theirs, below which the run fails.
        size_bytes: of plaintext that each of them goes through.
        ours: does it once.
        theirs: does it once.
    """

    what: str
    against: str
    least: float
    size_bytes: int
    ours: Work
    theirs: Work


@dataclass(frozen=True, slots=True)
class Result:
    """One row, measured. Seconds are medians; throughputs are in 10^6 bytes a second."""

    what: str
    against: str
    ours_seconds: float
    theirs_seconds: float
    ours_megabytes_per_second: float
    theirs_megabytes_per_second: float
    ratio: float
    least: float

    @property
    def reached(self) -> bool:
        """Whether ours is as fast as it must be."""
        return self.ratio >= self.least


def measure(row: Row, *, rounds: int) -> Result:
    """Run both in turn, so that what disturbs the machine disturbs both; the first round warms."""
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(_seconds(row.ours))
        theirs.append(_seconds(row.theirs))
    mine, other = statistics.median(ours[1:]), statistics.median(theirs[1:])
    return Result(
        what=row.what,
        against=row.against,
        ours_seconds=round(mine, 3),
        theirs_seconds=round(other, 3),
        ours_megabytes_per_second=round(row.size_bytes / mine / 1e6),
        theirs_megabytes_per_second=round(row.size_bytes / other / 1e6),
        ratio=round(other / mine, 2),
        least=row.least,
    )


def as_text(results: Sequence[Result]) -> str:
    """A table for people."""
    lines = [f"{'what':44} {'against':44} {'MB/s':>6} {'MB/s':>6} {'ratio':>6} {'least':>6}"]
    lines += [
        f"{result.what:44} {result.against:44} {result.ours_megabytes_per_second:6.0f} "
        f"{result.theirs_megabytes_per_second:6.0f} {result.ratio:6.2f} {result.least:6.2f}"
        f"{'' if result.reached else '  TOO SLOW'}"
        for result in results
    ]
    return "\n".join(lines)


def as_document(results: Sequence[Result]) -> list[dict[str, object]]:
    """The same for programs."""
    return [{**asdict(result), "reached": result.reached} for result in results]


def _seconds(work: Work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
