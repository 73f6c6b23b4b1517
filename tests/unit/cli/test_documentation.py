"""docs/command-line.md shows every command's help as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sealyard.cli.app import app

SEALYARD = Path(sys.executable).with_name("sealyard")
PAGE = Path(__file__).parents[3] / "docs" / "command-line.md"
SHOWN = dict(
    re.findall(
        r"^```console\n\$ (sealyard[^\n]*) --help\n(.*?)^```$",
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
)


def commands() -> list[str]:
    """Every command and group, as it is typed."""
    found = ["sealyard"]
    found += [f"sealyard {info.name}" for info in app.registered_commands]
    for group in app.registered_groups:
        assert isinstance(group.typer_instance, typer.Typer)
        found.append(f"sealyard {group.name}")
        found += [
            f"sealyard {group.name} {info.name}"
            for info in group.typer_instance.registered_commands
        ]
    return found


def test_every_command_is_shown() -> None:
    assert list(SHOWN) == commands()


@pytest.mark.parametrize("command", commands())
def test_the_help_is_the_one_that_is_shown(command: str) -> None:
    shown = CliRunner().invoke(
        app, [*command.split()[1:], "--help"], prog_name="sealyard", terminal_width=78
    )
    assert shown.output == SHOWN[command]


def test_the_program_shows_it_too() -> None:
    done = subprocess.run(
        [SEALYARD, "--help"],
        env={"PATH": os.environ["PATH"], "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == SHOWN["sealyard"]
