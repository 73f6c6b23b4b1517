"""The health command, as a real process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sealyard.device.updater.decide import Event
from sealyard.device.updater.hook import Hook


def ask(folder: Path, *command: str, seconds: float = 30.0) -> bool:
    return Hook(command, seconds).ask(Event.SWITCHED, model="coins", version="1.0.0", folder=folder)


@pytest.mark.parametrize(
    ("command", "healthy"),
    [
        ((), True),
        (("true",), True),
        (("false",), False),
        (("/does/not/exist",), False),
        (("sh", "-c", 'test "$SEALYARD_EVENT $SEALYARD_VERSION" = "switched 1.0.0"'), True),
    ],
)
def test_what_it_says(tmp_path: Path, command: tuple[str, ...], healthy: bool) -> None:
    assert ask(tmp_path, *command) is healthy


def test_one_that_does_not_answer_is_ended_with_what_it_started(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"sleep 600 & echo $! > {started}; wait"
    assert not ask(tmp_path, "sh", "-c", script, seconds=1.0)
    stat = Path(f"/proc/{started.read_text().strip()}/stat")
    # Gone, or waiting for whoever inherited it.
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


@pytest.mark.parametrize("refusal", [PermissionError, ProcessLookupError])
def test_one_that_may_not_be_ended_is_no_more_than_unhealthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[OSError]
) -> None:
    # What the system says of a command that has become another user's.
    def refused(_group: int, _signal: int) -> None:
        raise refusal

    monkeypatch.setattr(os, "killpg", refused)
    ends_itself = (sys.executable, "-c", "import time; time.sleep(1)")
    assert not ask(tmp_path, *ends_itself, seconds=0.1)
