"""A signal ends the work, but not in the midst of what must not be broken off."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import signal
from sealyard.jobs.process import Interrupted, interrupt_on, unbroken
interrupt_on({signal.SIGTERM: "told to end"})
try:
    {block}
    print("never")
except Interrupted as interruption:
    print(interruption, interruption.exit_code)
"""
SIGNALLED = "told to end 143\n"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("signal.raise_signal(signal.SIGTERM); print('on')", SIGNALLED),
        (
            "with unbroken(): signal.raise_signal(signal.SIGTERM); print('kept')",
            f"kept\n{SIGNALLED}",
        ),
        # One within another: the outer one counts.
        (
            "with unbroken(), unbroken(): signal.raise_signal(signal.SIGTERM); print('kept')",
            f"kept\n{SIGNALLED}",
        ),
        # What fails in it has been interrupted all the same.
        ("with unbroken(): signal.raise_signal(signal.SIGTERM); 1 / 0", SIGNALLED),
        # After a block without a signal the next one ends the work at once.
        (
            "with unbroken(): pass\n    signal.raise_signal(signal.SIGTERM); print('on')",
            SIGNALLED,
        ),
    ],
)
def test_what_is_unbroken_is_done_before_the_work_ends(block: str, said: str) -> None:
    program = PROGRAM.replace("{block}", block)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == said
