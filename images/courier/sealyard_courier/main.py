"""The entry point `sealyard-courier`: one task, by its kind."""

from __future__ import annotations

from sealyard.api.tasks import (
    GrantTask,
    IndexTask,
    ProbeTask,
    PublishTask,
    RewrapTask,
    TidyTask,
    VerifyTask,
)
from sealyard.jobs.harness import Handler, run_program
from sealyard_courier.deliver import run_probe, run_publish, run_rewrap, run_verify
from sealyard_courier.grant import run_grant
from sealyard_courier.index import run_index
from sealyard_courier.tidy import run_tidy


def main() -> int:
    """Run the task in the environment and give the exit code."""
    return run_program(
        "sealyard-courier",
        [
            Handler("publish", PublishTask, run_publish),
            Handler("verify", VerifyTask, run_verify),
            Handler("tidy", TidyTask, run_tidy),
            Handler("rewrap", RewrapTask, run_rewrap),
            Handler("probe", ProbeTask, run_probe),
            Handler("grant", GrantTask, run_grant),
            Handler("index", IndexTask, run_index),
        ],
    )
