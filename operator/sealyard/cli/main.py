"""The entry point `sealyard`: a process that leaks nothing and ends cleanly, also when stopped."""

from __future__ import annotations

import signal
import sys

from sealyard.jobs.process import Interrupted, interrupt_on, keep_private


def main() -> int:
    """Run the command line of this process and give the exit code."""
    keep_private(0o077)
    try:
        interrupt_on(
            {
                signal.SIGINT: "interrupted",
                signal.SIGTERM: "ended by SIGTERM",
                signal.SIGHUP: "the terminal was closed",
            }
        )
        from sealyard.cli.app import run  # noqa: PLC0415 - slow: a signal must find us prepared

        code = run()
    except Interrupted as interruption:
        print(f"sealyard: {interruption}", file=sys.stderr)
        code = interruption.exit_code
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return code
