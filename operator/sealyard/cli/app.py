"""The commands of `sealyard`: one line per error, and the exit codes that the Jobs have."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from sealyard.cli.annotations import annotations_app
from sealyard.cli.dataset import dataset_app
from sealyard.cli.device import device_app
from sealyard.cli.device_pull import current_command, pull_command
from sealyard.cli.device_pull import run_command as device_run_command
from sealyard.cli.devices import devices
from sealyard.cli.keyring import keyring_app
from sealyard.cli.lineage import lineage
from sealyard.cli.lint import lint_command
from sealyard.cli.local_run import run_command
from sealyard.cli.opening import inspect, open_command
from sealyard.cli.publish import publish
from sealyard.cli.pull import pull
from sealyard.cli.report import show_error
from sealyard.cli.resource import resource_app
from sealyard.cli.sealing import seal
from sealyard.cli.training_report import report
from sealyard.cli.trust import trust_app
from sealyard.cli.verify import verify
from sealyard.errors import InvalidError, SealyardError

_USAGE = 2

app = typer.Typer(
    name="sealyard",
    help="Seal models, publish them, bring them back, open them, and make the keys and devices "
    "that do. Exit codes: 64 wrong input, 65 something is not what was sealed or released, 66 "
    "something is missing, 69 a store cannot be reached or trusted, 77 credentials refused, 130 "
    "and 143 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    # The same help everywhere: what docs/command-line.md shows is what is printed.
    rich_markup_mode=None,
    # A traceback with local variables would show keys.
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"sealyard {version('sealyard')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command("seal")(seal)
app.command("publish")(publish)
app.command("verify")(verify)
app.command("pull")(pull)
app.command("open")(open_command)
app.command("inspect")(inspect)
app.command("devices")(devices)
app.command("lint")(lint_command)
app.command("run")(run_command)
app.command("report")(report)
app.command("lineage")(lineage)
app.add_typer(dataset_app, name="dataset")
app.add_typer(annotations_app, name="annotations")
app.add_typer(keyring_app, name="keyring")
app.add_typer(trust_app, name="trust")
device_app.command("pull")(pull_command)
device_app.command("current")(current_command)
device_app.command("run")(device_run_command)
app.add_typer(device_app, name="device")
app.add_typer(resource_app, name="resource")


def run() -> int:
    """Run the command line and give the exit code."""
    try:
        app(standalone_mode=True)
    except SealyardError as error:
        show_error(error)
        return error.exit_code
    except SystemExit as end:
        # Wrong usage is wrong input, by the one table of exit codes.
        code = end.code if isinstance(end.code, int) else 1
        return InvalidError.exit_code if code == _USAGE else code
    return 0
