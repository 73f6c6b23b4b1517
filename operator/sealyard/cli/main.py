"""The entry point `sealyard`: one line per error, and the exit codes that the Jobs have."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from sealyard.cli.keyring import keyring_app
from sealyard.cli.opening import inspect, open_command
from sealyard.cli.pull import pull
from sealyard.cli.sealing import seal
from sealyard.errors import InvalidError, SealyardError

_USAGE = 2

app = typer.Typer(
    name="sealyard",
    help="Seal models, bring them back, open them, and make the keys that seal them.",
    no_args_is_help=True,
    add_completion=False,
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


app.command("pull")(pull)
app.command("seal")(seal)
app.command("open")(open_command)
app.command("inspect")(inspect)
app.add_typer(keyring_app, name="keyring")


def main() -> int:
    """Run the command line and give the exit code."""
    try:
        app(standalone_mode=True)
    except SealyardError as error:
        print(f"sealyard: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except SystemExit as end:
        # Wrong usage is wrong input, by the one table of exit codes.
        code = end.code if isinstance(end.code, int) else 1
        return InvalidError.exit_code if code == _USAGE else code
    return 0
