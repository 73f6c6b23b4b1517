"""`sealyard resource`: any local file, sealed to this device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sealyard.cli.device import StateOption
from sealyard.device.local_file import open_local_file, seal_local_file
from sealyard.device.machine import DEFAULT_STATE, unlocked
from sealyard.device.state import DeviceState

resource_app = typer.Typer(
    help="Seal any file to this device. A copy opens nowhere else.",
    no_args_is_help=True,
)

FileArgument: TypeAlias = Annotated[Path, typer.Argument(help="The file, which stays as it is.")]


@resource_app.command("seal")
def seal_resource(
    file: FileArgument,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the sealed file goes.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Seal a file to this device."""
    device = DeviceState.load(state)
    seal_local_file(unlocked(device).files, file, output)


@resource_app.command("open")
def open_resource(
    file: FileArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the opened file goes (mode 0600).")
    ],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Open a file that was sealed to this device; nothing appears before all of it was proven."""
    device = DeviceState.load(state)
    open_local_file(unlocked(device).files, file, output)
