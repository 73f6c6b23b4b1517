"""The entry point `sealyard-exporter`."""

from __future__ import annotations

from collections.abc import Sequence

from sealyard.api.tasks import ExportTask
from sealyard.jobs.harness import Handler, run_program
from sealyard_exporter.run import run

HANDLERS = (Handler("export", ExportTask, run),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the export task in the environment."""
    return run_program("sealyard-exporter", HANDLERS, arguments=arguments)
