"""`python -m sealyard_local.demo up|down`: what `make demo` and `make demo-stop` run."""

from __future__ import annotations

import argparse
import shutil
import sys

from rich.console import Console

from sealyard.errors import SealyardError
from sealyard_local.cluster import Cluster
from sealyard_local.demo.overlay import REPOSITORY
from sealyard_local.demo.story import CLUSTER_FOLDER, tell

STATE = REPOSITORY / ".demo"


def main() -> int:
    """Runs the demo, or stops it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="sealyard_local.demo", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    action = parser.parse_args().action
    console = Console(highlight=False)
    try:
        _down(console)
        if action == "up":
            tell(STATE, console)
    except SealyardError as error:
        console.print(f"\n[red]The demo stopped:[/red] {error}", soft_wrap=True)
        console.print(f"Logs are in {STATE}; `make demo-stop` cleans up.", soft_wrap=True)
        return error.exit_code
    return 0


def _down(console: Console) -> None:
    """Ends what a former demo left running; harmless where there is nothing."""
    if STATE.exists():
        console.print("Stopping the demo that is here …")
        Cluster.stop_in(STATE / CLUSTER_FOLDER)
        shutil.rmtree(STATE)


if __name__ == "__main__":
    sys.exit(main())
