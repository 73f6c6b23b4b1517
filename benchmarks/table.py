"""Ours against theirs: interleaved rounds, medians, a bound that must be kept."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

Work: TypeAlias = Callable[[], object]


class CheckError(Exception):
    """The work was not done, or what came out of it is wrong."""


def nothing() -> None:
    """What a side does where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one of both does in a round; only `run` is timed.

    Attributes:
        run: the work. Raises where it fails.
        before: makes room for it: every round begins from the same state.
        check: proves that the work was done, and takes away what it left.
        took: the seconds of `run` that count, where that is not all of it.
    """

    run: Work
    before: Work = nothing
    check: Work = nothing
    took: Callable[[], float] | None = None

    def seconds(self) -> float:
        """Do it once; how long the work took."""
        self.before()
        begun = time.perf_counter()
        self.run()
        took = time.perf_counter() - begun
        if self.took:
            took = self.took()
        self.check()
        return took


@dataclass(frozen=True, slots=True)
class Race:
    """One comparison of speed.

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
    ours: Side
    theirs: Side


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory that a program of ours may need.

    Attributes:
        what: the program, and what it does.
        most: mebibytes above which the run fails.
        size_bytes: of plaintext that it goes through.
        mebibytes: does it once, in a process of its own; what it needed at most.
    """

    what: str
    most: float
    size_bytes: int
    mebibytes: Callable[[], float]


OpenRace: TypeAlias = Callable[[Path, int], AbstractContextManager[Race]]
OpenPeak: TypeAlias = Callable[[Path, int], AbstractContextManager[Peak]]
"""Makes the files of a row in a folder, for a size in bytes."""


@dataclass(frozen=True, slots=True)
class RaceResult:
    """A race, measured. Seconds are medians; throughputs are in 10^6 bytes a second."""

    name: str
    what: str
    against: str
    mebibytes: int
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

    @property
    def summary(self) -> str:
        """One line as soon as it is measured."""
        return f"{self.ratio:.2f} times, at least {self.least:.2f}{_mark(self)}"


@dataclass(frozen=True, slots=True)
class PeakResult:
    """A peak, measured: the highest of all rounds."""

    name: str
    what: str
    mebibytes: int
    peak_mebibytes: float
    most_mebibytes: float

    @property
    def reached(self) -> bool:
        """Whether it makes do with what it may have."""
        return self.peak_mebibytes <= self.most_mebibytes

    @property
    def summary(self) -> str:
        """One line as soon as it is measured."""
        return f"{self.peak_mebibytes:.1f} MiB, at most {self.most_mebibytes:.0f}{_mark(self)}"


@dataclass(frozen=True, slots=True)
class FailedResult:
    """A row that could not be measured."""

    name: str
    error: str

    @property
    def reached(self) -> bool:
        """Never."""
        return False

    @property
    def summary(self) -> str:
        """One line as soon as it failed."""
        return f"FAILED: {self.error}"


Result: TypeAlias = RaceResult | PeakResult | FailedResult


def measure(name: str, row: Race | Peak, *, rounds: int) -> Result:
    """All rounds of a row.

    Both sides of a race run in turn, so that what disturbs the machine disturbs both. Its first
    round only warms up.
    """
    if isinstance(row, Peak):
        peak = max(row.mebibytes() for _ in range(rounds))
        return PeakResult(name, row.what, row.size_bytes >> 20, round(peak, 1), row.most)
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(row.ours.seconds())
        theirs.append(row.theirs.seconds())
    mine, other = statistics.median(ours[1:]), statistics.median(theirs[1:])
    return RaceResult(
        name=name,
        what=row.what,
        against=row.against,
        mebibytes=row.size_bytes >> 20,
        ours_seconds=round(mine, 3),
        theirs_seconds=round(other, 3),
        ours_megabytes_per_second=round(row.size_bytes / mine / 1e6, 2),
        theirs_megabytes_per_second=round(row.size_bytes / other / 1e6, 2),
        # Not rounded up to a bound that was missed.
        ratio=int(other / mine * 100) / 100,
        least=row.least,
    )


def as_text(results: Sequence[Result]) -> str:
    """Two tables for people, of speed and of memory, and what failed."""
    races = [result for result in results if isinstance(result, RaceResult)]
    peaks = [result for result in results if isinstance(result, PeakResult)]
    lines = []
    if races:
        what, against = _width("ours", races, "what"), _width("theirs", races, "against")
        lines += [
            f"{'ours':{what}}  {'theirs':{against}}    MiB   ours  theirs  ratio  least",
            f"{'':{what}}  {'':{against}}         MB/s    MB/s",
        ]
        lines += [
            f"{race.what:{what}}  {race.against:{against}}  {race.mebibytes:5}"
            f"  {_speed(race.ours_megabytes_per_second):>5}"
            f"  {_speed(race.theirs_megabytes_per_second):>6}"
            f"  {race.ratio:5.2f}  {race.least:5.2f}{_mark(race)}"
            for race in races
        ]
    if peaks:
        what = _width("peak memory", peaks, "what")
        lines += ["", f"{'peak memory':{what}}  {'MiB':>5}  {'needs':>6}  {'most':>5}"]
        lines += [
            f"{peak.what:{what}}  {peak.mebibytes:5}  {peak.peak_mebibytes:6.1f}"
            f"  {peak.most_mebibytes:5.0f}{_mark(peak)}"
            for peak in peaks
        ]
    failed = [result for result in results if isinstance(result, FailedResult)]
    lines += [f"{row.name} {row.summary}" for row in failed]
    return "\n".join(lines).strip()


def as_document(results: Sequence[Result]) -> list[dict[str, object]]:
    """The same for programs: an object for each row, with its name and whether it is reached."""
    return [{**asdict(result), "reached": result.reached} for result in results]


def _mark(result: RaceResult | PeakResult) -> str:
    """What stands at the end of a row that misses its bound."""
    if result.reached:
        return ""
    return "  TOO SLOW" if isinstance(result, RaceResult) else "  TOO MUCH"


def _speed(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes >= 10 else f"{megabytes:.2f}"


def _width(title: str, rows: Sequence[RaceResult | PeakResult], column: str) -> int:
    return max(len(title), *(len(getattr(row, column)) for row in rows))
