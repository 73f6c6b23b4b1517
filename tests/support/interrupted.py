"""Trainings that a signal ends in the midst of an epoch, and the checkpoints that they leave."""

from __future__ import annotations

import signal
from pathlib import Path

from sealyard.api.tasks import TrainTask
from support.job_programs import Pod, wait_until
from support.training_jobs import RUN_PATH


def recorded(workspace: Path, run_path: str = RUN_PATH) -> list[int]:
    """The epochs of the checkpoints that are whole."""
    folder = workspace / run_path / "checkpoints"
    return sorted(int(path.stem.removeprefix("epoch-")) for path in folder.glob("epoch-*.json"))


def started(pod: Pod, epoch: int) -> bool:
    """Whether the checkpoint of an epoch, or of a later one, is there: the next epoch has begun."""
    return any(found >= epoch for found in recorded(pod.workspace))


def in_mid_epoch(pod: Pod, task: TrainTask, epoch: int, number: signal.Signals) -> int:
    """Start a training, signal it while the epoch after this one is trained, wait for its end."""
    process = pod.start("sealyard-trainer", task)
    try:
        wait_until(lambda: started(pod, epoch), process, pod)
        process.send_signal(number)
        return process.wait(120)
    finally:
        process.kill()
        process.wait()
