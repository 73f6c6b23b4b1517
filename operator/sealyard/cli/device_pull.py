"""`sealyard device pull`, `current` and `run`: what a device opens, what keeps it up to date."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from sealyard.cli.device import StateOption
from sealyard.cli.options import JsonOption, OutputOption
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_document, warn_of_plaintext
from sealyard.cli.stores import ModelArgument
from sealyard.device.held import HeldRelease
from sealyard.device.machine import DEFAULT_STATE
from sealyard.device.pulling import Wanted, current, pull
from sealyard.device.updater.follow import Updater
from sealyard.device.updater.hook import Hook
from sealyard.errors import InvalidError

_LEAST_INTERVAL = 10.0


def pull_command(
    model: ModelArgument,
    version: Annotated[
        str | None, typer.Argument(help="The version, exact; instead of a channel.")
    ] = None,
    *,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Which channel; not needed where the device follows one."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", help="Another one than this platform's.")
    ] = None,
    output: OutputOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Bring this device a release, and prove that it opens here.

    The signed index must list it. Both parts stay sealed in the state folder; programs open them in
    memory (docs/devices.md). What was brought before opens without a network, until the index
    expires.
    """
    with progress_of(f"pulling {model}", as_json=as_json) as progress:
        held = pull(
            model,
            channel=channel,
            version=version,
            variant=variant,
            state=state,
            progress=progress,
        )
    _show(held, output, as_json=as_json)


def current_command(
    model: ModelArgument,
    *,
    output: OutputOption = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Open what `run` has switched to.

    It needs a network only where what is held was damaged. Exit code 66 if the index lists it no
    longer.
    """
    _show(current(model, state=state), output, as_json=as_json)


def run_command(
    model: ModelArgument,
    *,
    channel: Annotated[str, typer.Option("--channel", help="The channel to follow.")],
    variant: Annotated[
        str | None, typer.Option("--variant", help="Another one than this platform's.")
    ] = None,
    health_command: Annotated[
        str,
        typer.Option(
            "--health-command",
            help="Run after each switch, without a shell; another exit code than 0 rolls back.",
        ),
    ] = "",
    health_timeout: Annotated[
        float, typer.Option("--health-timeout", help="The longest that it may take, in seconds.")
    ] = 60.0,
    interval: Annotated[
        float, typer.Option("--interval", help="Between two looks at the index, in seconds.")
    ] = 300.0,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Follow a channel: the updater, for a systemd unit.

    A new release is brought, switched to at once, and judged by the health command; a bad one is
    rolled back and never tried again. The command hears of a rollback and a withdrawal until it
    ends with exit code 0. It tells the release API what runs.
    """
    for option, value, least in (
        ("--health-timeout", health_timeout, 1.0),
        ("--interval", interval, _LEAST_INTERVAL),
    ):
        if not value >= least:
            raise InvalidError(f"{option}: {value:g} must be at least {least:g} seconds")
    logging.basicConfig(level=logging.INFO, format="sealyard: %(message)s")
    # Each request of its own would be a line.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    Updater(
        state=state,
        wanted=Wanted(model=model, channel=channel, variant=variant),
        hook=Hook(_words(health_command), health_timeout),
        interval_seconds=interval,
    ).run()


def _show(held: HeldRelease, output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        held.write(output)
        warn_of_plaintext(output)
    context, variant = held.entry.context, held.entry.variant
    document: dict[str, Any] = {
        "model": context.model,
        "version": context.version,
        "variant": variant.name,
        "trust": "signed",
        "manifestSha256": held.manifest_sha256,
        "sha256": held.entry.plaintext_sha256,
        "sizeBytes": variant.plaintext_bytes,
        "sealed": str(held.folder),
    }
    show_document(document | ({} if output is None else {"output": str(output)}), as_json=as_json)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        raise InvalidError(f"--health-command: its quotes do not match: {command[:80]!r}") from None
