"""How long a training takes to end when it is told to, and what it costs to go on.

    PYTHONPATH=.:local:tests .venv/bin/python -m benchmarks.interruption

Trains yolo11n on a processor, and sends SIGTERM in the midst of an epoch, again and again. Prints
each attempt and the medians: the seconds from SIGTERM to the exit with 143, and those from the
start of the next attempt until it trains, beside a first attempt's; and the bytes that the next
attempt reads of what was kept, which are those that a workspace in S3 fetches.
"""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealyard.api.training_run import ModelSpec
from sealyard_trainer.checkpoints import vouched_for
from support.coins import write_coins
from support.interrupted import recorded
from support.job_programs import Pod, wait_until
from support.training_jobs import RUN_PATH, train_task, with_epochs

_ATTEMPTS: Final = 7
_EPOCHS: Final = 1000
"""More than all attempts train."""
_TRAINS: Final = ": training "
"""Is logged once the model is there, and before its first picture."""
_EXIT: Final = 143
_PATIENCE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class _Attempt:
    started: float
    """Seconds from the program's start until it trains."""
    ended: float
    """Seconds from SIGTERM to its exit."""
    read_bytes: int
    """Of checkpoints, that the next one begins with."""


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="sealyard-bench-") as name:
        folder = Path(name)
        write_coins(folder / "dataset", train=160, val=40)
        attempts = []
        for number in range(_ATTEMPTS):
            attempts.append(_attempt(folder, number))
            print(attempts[-1], flush=True)
    first, *others = attempts
    ended = [each.ended for each in attempts]
    started = [each.started for each in others]
    read = [each.read_bytes for each in attempts]
    print(
        f"from SIGTERM to the exit: {statistics.median(ended):.2f} s "
        f"(up to {max(ended):.2f} s, {len(ended)} times)\n"
        f"from the start until it goes on: {statistics.median(started):.2f} s "
        f"({len(started)} times); a first attempt: {first.started:.2f} s\n"
        f"of checkpoints read to go on: {statistics.median_low(read):,} B"
    )
    return 0


def _attempt(folder: Path, number: int) -> _Attempt:
    workspace = folder / "workspace"
    pod = Pod(folder / f"pod-{number}", workspace, folder / "dataset", uid=f"pod-{number}")
    pod.root.mkdir()
    task = train_task(
        model=ModelSpec(architecture="yolo11n.yaml"),
        hyperparameters=with_epochs(_EPOCHS),
        attempt=number + 1,
    )
    kept = max(recorded(workspace), default=0)
    begun = time.monotonic()
    process = pod.start("sealyard-trainer", task)
    try:
        wait_until(lambda: _TRAINS in pod.log_file.read_text(), process, pod)
        started = time.monotonic() - begun
        wait_until(lambda: max(recorded(workspace), default=0) > kept, process, pod)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(_PATIENCE_SECONDS)
        ended = time.monotonic() - begun
    finally:
        process.kill()
        process.wait()
    if code != _EXIT:
        raise SystemExit(f"{code} instead of {_EXIT}:\n{pod.log_file.read_text()[-2000:]}")
    return _Attempt(started, ended, _bytes_of_newest(workspace / RUN_PATH / "checkpoints"))


def _bytes_of_newest(checkpoints: Path) -> int:
    """The record that is the newest, and its one or two files."""
    record, last, *rest = vouched_for(checkpoints)
    best = [name for name in rest[:1] if name.endswith(".pt")]
    return sum((checkpoints / name).stat().st_size for name in (record, last, *best))


if __name__ == "__main__":
    sys.exit(main())
