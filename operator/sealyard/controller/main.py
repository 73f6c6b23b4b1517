"""The `sealyard-operator` command."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

from sealyard.controller.configuration import DEFAULT_PATH, PATH_VARIABLE, load_configuration
from sealyard.controller.logs import configure_logging
from sealyard.controller.runtime import run_operator
from sealyard.errors import SealyardError
from sealyard.jobs.process import keep_private

logger = logging.getLogger(__name__)


def main() -> None:
    """Run the operator until SIGTERM. Exit codes are those of `sealyard.errors`."""
    parser = argparse.ArgumentParser(
        prog="sealyard-operator", description="Runs TrainingRuns and ModelReleases."
    )
    parser.add_argument(
        "--config",
        default=os.environ.get(PATH_VARIABLE, DEFAULT_PATH),
        help=f"the configuration, YAML or JSON (default: ${PATH_VARIABLE} or {DEFAULT_PATH})",
    )
    arguments = parser.parse_args()
    keep_private(0o077)
    configure_logging("info")
    try:
        configuration = load_configuration(arguments.config)
        configure_logging(configuration.log_level)
        asyncio.run(run_operator(configuration))
    except SealyardError as error:
        logger.error("%s", error)  # noqa: TRY400 - one line for people; the trace says no more
        sys.exit(error.exit_code)
    except Exception:
        logger.exception("a fault in the operator itself")
        sys.exit(SealyardError.exit_code)
