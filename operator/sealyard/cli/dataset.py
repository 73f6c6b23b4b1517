"""`sealyard dataset`: what can be said of a dataset without a cluster."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from sealyard.errors import MissingError

PROGRAM = "sealyard_trainer.report.preview"
NEEDED = ("jinja2", "matplotlib", "numpy", "PIL", "yaml")
"""What the program imports: the extra `preview`."""

dataset_app = typer.Typer(help="Look at a dataset.", no_args_is_help=True)


@dataset_app.command("preview")
def preview(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder with data.yaml, in YOLO's format.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the page goes.")] = Path(
        "preview.html"
    ),
) -> None:
    """Check a dataset and show it as one HTML page: classes, sizes of boxes, pictures.

    The check is the one that a training begins with. What augmentation does is shown where
    ultralytics is installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"sealyard dataset preview needs {', '.join(missing)}; "
            "install sealyard with its extra preview"
        )
    # A process of its own: the command line never loads what an AGPL licence may reach.
    done = subprocess.run(  # noqa: S603 - no shell; the arguments are paths
        [sys.executable, "-m", PROGRAM, f"--output={output}", "--", str(folder)], check=False
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    print(output)
