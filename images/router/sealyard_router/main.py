"""The entry point `sealyard-router`: files one route's annotations for as long as it lives."""

from __future__ import annotations

from sealyard.api.filing import RouteTask
from sealyard.jobs.harness import Handler, run_program
from sealyard_router.service import run_route


def main() -> int:
    """Run the task in the environment and give the exit code."""
    return run_program("sealyard-router", [Handler("route", RouteTask, run_route)])
