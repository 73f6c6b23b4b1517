"""What the pages name exists: files, sections, targets of make, commands, values of the chart."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from sealyard.cli.app import app

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "benchmarks").glob("*.md"),
    ]
)
EVERY_PAGE = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")


def lines_of(page: Path) -> Iterator[str]:
    """Each command line of a page's blocks, continued lines as one."""
    for language, block in FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if language == "sh":
                yield line.strip()
            elif line.startswith("$ "):
                yield line.removeprefix("$ ")


def words_of(page: Path) -> Iterator[str]:
    """What stands between backticks in its sentences."""
    prose = FENCE.sub("", page.read_text())
    yield from (" ".join(code.split()) for code in INLINE.findall(prose))


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    prose = INLINE.sub("", FENCE.sub("", page.read_text()))
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place) if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@EVERY_PAGE
def test_targets_of_make_exist(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = [*lines_of(page), *words_of(page)]
    named = {match[1] for each in code if (match := re.match(r"make ([a-z-]+)", each))}
    assert named <= targets


def parse(words: list[str]) -> None:
    """As the command itself would, short of looking at what the words name."""
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="sealyard")
    while True:
        given, left, _ = command.make_parser(context).parse_args(args=list(words))
        if not hasattr(command, "commands"):
            break
        if given.get("help") or not left:
            return
        name, *words = left
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
        context = command.context_class(command, info_name=name, parent=context)
    assert not left, f"{left} is too much"
    if not given.get("help"):
        missing = [one.name for one in command.params if one.required and one.name not in given]
        assert not missing


@EVERY_PAGE
def test_commands_are_understood(page: Path) -> None:
    for line in lines_of(page):
        # A command ends where the shell's next one, or a file that it writes to, begins.
        for command in re.split(r" (?:[|&;<>]+) ?", line):
            if re.match(r"sealyard\s", command):
                parse(shlex.split(command, comments=True)[1:])


@EVERY_PAGE
def test_values_of_the_chart_exist(page: Path) -> None:
    values = yaml.safe_load((REPOSITORY / "charts/sealyard/values.yaml").read_text())
    for line in lines_of(page):
        for path in re.findall(r"--set ([\w.]+)=", line):
            found = values
            for key in path.split("."):
                assert key in found, path
                found = found[key]
