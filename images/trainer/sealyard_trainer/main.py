"""The entry point `sealyard-trainer`."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.api.tasks import TrainTask
from sealyard.jobs.harness import Handler, run_program
from sealyard_trainer.run import run

HANDLERS = (Handler("train", TrainTask, run),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the training task in the environment."""
    return run_program("sealyard-trainer", HANDLERS, arguments=arguments)
