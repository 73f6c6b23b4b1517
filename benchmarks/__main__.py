"""How fast Sealyard is, and how much memory it needs, beside other programs in the same run.

Prints a table, and fails where a bound is missed, a program fails, or what came out is wrong.

All files are in memory (/dev/shm), because a disk would hide everything, and are removed at the
end, whatever ends the run. Rows follow one another, and each takes its files away. So a whole run
holds at most three times the size of a sealing row or four times that of a delivery row at once:
6 GiB by default, beside about 1 GiB for the programs themselves. Keep 8 GiB free.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks import delivery, filing, grants, memory, sealing, trainer
from benchmarks.profiling import profile
from benchmarks.table import (
    CheckError,
    FailedResult,
    Peak,
    Race,
    Result,
    as_document,
    as_text,
    measure,
)
from sealyard.errors import InvalidError, SealyardError

_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a disk would hide everything
_ROUNDS: Final = 5
_TIMES_ITS_SIZE: Final = 5  # what a row holds at most, and some more
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of ours, of a check, of a server that does not start, of a file that is not there.
_FAULTS: Final = (SealyardError, CheckError, RuntimeError, OSError)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be chosen.

    Attributes:
        open: makes its files in a folder, for a size in bytes.
        mebibytes: of plaintext, if none is given.
    """

    open: Callable[[Path, int], AbstractContextManager[Race | Peak]]
    mebibytes: int


_ROWS: Final[Mapping[str, Row]] = {
    **{name: Row(row, 2048) for name, row in sealing.ROWS.items()},
    **{name: Row(row, 1024) for name, row in delivery.ROWS.items()},
    **{name: Row(row, 64) for name, row in filing.RACES.items()},
    **{name: Row(row, 1) for name, row in grants.ROWS.items()},
    **{name: Row(row, 1) for name, row in trainer.RACES.items()},
    **{name: Row(peak, 1) for name, peak in trainer.PEAKS.items()},
    **{name: Row(peak, 1024) for name, peak in memory.ROWS.items()},
    **{name: Row(peak, 256) for name, peak in filing.PEAKS.items()},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every row keeps its bound, 1 if not, 64 for wrong arguments."""
    options = _parse(arguments)
    for number in _ENDING:
        signal.signal(number, _end)
    try:
        names = _chosen(options.only)
        if options.profile:
            _profile(options.profile, options.mebibytes)
            return 0
    except _FAULTS as error:
        print(f"make bench: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, SealyardError) else 1
    print(f"median of {options.rounds} rounds in memory, {len(os.sched_getaffinity(0))} cores")
    results = [_measured(name, options.mebibytes, options.rounds) for name in names]
    print(as_text(results))
    if options.json:
        options.json.write_text(json.dumps(as_document(results), indent=1) + "\n")
    return 0 if all(result.reached for result in results) else 1


def _end(number: int, _frame: FrameType | None) -> None:
    """Leave, so that everything is stopped and removed; and let nothing interrupt that."""
    for further in _ENDING:
        signal.signal(further, signal.SIG_IGN)
    sys.exit(128 + number)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        epilog=f"Rows: {', '.join(_ROWS)}. A group is chosen by what its names begin with: seal, "
        "open, publish, pull, filing, grants, trainer, memory.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="ROW", help="rows or groups; all without it")
    parser.add_argument("--mebibytes", type=_positive, help="of plaintext, for every row")
    parser.add_argument("--rounds", type=_positive, default=_ROUNDS, help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument(
        "--profile", metavar="ROW", help="show where our side of a row spends its time instead"
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def _chosen(wanted: Sequence[str] | None) -> list[str]:
    """The names of the rows that were asked for, in the table's order.

    Raises:
        InvalidError: there is no such row or group.
    """
    if wanted is None:
        return list(_ROWS)
    for name in wanted:
        if not any(_belongs(row, name) for row in _ROWS):
            raise InvalidError(f"--only: there is no row {name!r}; there are {', '.join(_ROWS)}")
    return [row for row in _ROWS if any(_belongs(row, name) for name in wanted)]


def _belongs(row: str, wanted: str) -> bool:
    return row == wanted or row.startswith(f"{wanted}-")


def _measured(name: str, mebibytes: int | None, rounds: int) -> Result:
    result: Result
    try:
        with _opened(name, mebibytes) as row:
            result = measure(name, row, rounds=rounds)
    except _FAULTS as error:
        # The others are measured all the same.
        result = FailedResult(name, str(error))
    print(f"{name}: {result.summary}", file=sys.stderr, flush=True)
    return result


def _profile(name: str, mebibytes: int | None) -> None:
    """Profile our side of a row.

    Raises:
        InvalidError: there is no such row, or it is no race.
    """
    peaks = {**memory.ROWS, **trainer.PEAKS, **filing.PEAKS}
    if name not in _ROWS or name in peaks:
        races = ", ".join(row for row in _ROWS if row not in peaks)
        raise InvalidError(f"--profile: must be one of {races}, not {name!r}")
    with _opened(name, mebibytes) as row:
        assert isinstance(row, Race)  # noqa: S101 - for the type checker; said just above
        print(profile(row.ours))


@contextmanager
def _opened(name: str, mebibytes: int | None) -> Iterator[Race | Peak]:
    """A row with its files, which are removed after it."""
    row = _ROWS[name]
    size_bytes = (mebibytes or row.mebibytes) << 20
    _make_room(size_bytes * _TIMES_ITS_SIZE)
    with (
        tempfile.TemporaryDirectory(dir=_IN_MEMORY, prefix="sealyard-bench-") as folder,
        row.open(Path(folder), size_bytes) as opened,
    ):
        yield opened


def _make_room(size_bytes: int) -> None:
    """Have the kernel give up what it caches now, and not in the midst of a round.

    Whoever writes more pays for that: a pull of 1 GiB took 13 s instead of 9 s on a machine whose
    memory was full of cached files, and `aws`, which writes half as much, took no longer.
    """
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    available = next(
        int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("MemAvailable")
    )
    with tempfile.TemporaryFile(dir=_IN_MEMORY) as file:
        os.posix_fallocate(file.fileno(), 0, min(size_bytes, available * 3 // 4))


sys.exit(main())
