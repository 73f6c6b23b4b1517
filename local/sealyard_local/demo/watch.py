"""Shows the run and the release living, until the release is Released or something is Stalled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sealyard.errors import IntegrityError, UnavailableError

POLL_SECONDS = 0.5
Get = Callable[[], list[dict[str, Any]]]
"""Reads the objects being watched, as the API server has them now."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is worth showing of one object."""

    kind: str
    name: str
    phase: str
    message: str
    ready: bool
    stalled: bool
    progress: dict[str, str]
    percent: int | None

    @classmethod
    def at(cls, document: dict[str, Any]) -> Look:
        """The look at an object in wire form."""
        status = document.get("status", {})
        conditions = {c["type"]: c for c in status.get("conditions", [])}
        return cls(
            kind=document["kind"],
            name=document["metadata"]["name"],
            phase=status.get("phase", "-"),
            message=conditions.get("Ready", {}).get("message", ""),
            ready=conditions.get("Ready", {}).get("status") == "True",
            stalled=conditions.get("Stalled", {}).get("status") == "True",
            progress=status.get("summary", {}),
            percent=status.get("progress", {}).get("percent"),
        )

    def line(self) -> str:
        """One line for a log: what changed is in it."""
        figures = [
            f"epoch {self.progress['epoch']}" if "epoch" in self.progress else "",
            f"ETA {self.progress['eta']}" if "eta" in self.progress else "",
            f"mAP50-95 {self.progress['map50_95']}" if "map50_95" in self.progress else "",
        ]
        shown = ", ".join(figure for figure in figures if figure and self.kind == "TrainingRun")
        detail = shown or ("" if self.ready else self.message)
        return f"  {self.kind}/{self.name}: {self.phase}" + (f" ({detail})" if detail else "")


def until_released(get: Get, console: Console, timeout_seconds: float) -> None:
    """Polls and shows until every object is Ready.

    Raises:
        IntegrityError: an object is Stalled; the message is its own.
        UnavailableError: the time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    show = _live if console.is_terminal else _lines
    show(get, console, deadline)


def _settled(looks: list[Look], deadline: float) -> bool:
    for look in looks:
        if look.stalled:
            raise IntegrityError(f"{look.kind}/{look.name} is stalled: {look.message}")
    if time.monotonic() > deadline:
        waiting = "; ".join(f"{look.kind}/{look.name}: {look.message}" for look in looks)
        raise UnavailableError(f"not released in time: {waiting}")
    return bool(looks) and all(look.ready for look in looks)


def _lines(get: Get, console: Console, deadline: float) -> None:
    shown: dict[str, str] = {}
    while True:
        looks = [Look.at(document) for document in get()]
        for look in looks:
            line = look.line()
            if shown.get(look.kind) != line:
                shown[look.kind] = line
                console.print(line, highlight=False)
        if _settled(looks, deadline):
            return
        time.sleep(POLL_SECONDS)


def _live(get: Get, console: Console, deadline: float) -> None:
    with Live(console=console, refresh_per_second=4) as live:
        while True:
            looks = [Look.at(document) for document in get()]
            live.update(Group(*(_panel(look) for look in looks)))
            if _settled(looks, deadline):
                return
            time.sleep(POLL_SECONDS)


def _panel(look: Look) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=30)
    table.add_column(width=20)
    table.add_column(width=30)
    table.add_column()
    style = "green" if look.ready else "red" if look.stalled else "yellow"
    bar: ProgressBar | Text = Text(look.message[:60], style="dim")
    if look.kind == "TrainingRun" and look.percent is not None:
        bar = ProgressBar(total=100, completed=look.percent, width=28)
    figures = "  ".join(
        f"{label} {look.progress[key]}"
        for key, label in (("epoch", "epoch"), ("eta", "ETA"), ("map50_95", "mAP50-95"))
        if key in look.progress
    )
    table.add_row(f"{look.kind}/{look.name}", Text(look.phase, style=style), bar, figures)
    return table
