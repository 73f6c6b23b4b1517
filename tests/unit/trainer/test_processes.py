"""What each of several processes gets to do, and what is said of one that ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sealyard.errors import InvalidError
from sealyard_trainer.processes import check_shares, ended


@pytest.mark.parametrize(
    ("arguments", "count", "refusal"),
    [
        ({"batch": 15, "rect": True}, 1, None),
        ({"batch": 16}, 2, None),
        ({"batch": 16, "rect": False}, 8, None),
        (
            {"batch": 16},
            3,
            "spec.hyperparameters.batch is 16 and 3 processes train; a multiple of 3 is wanted",
        ),
        (
            {"batch": 1},
            2,
            "spec.hyperparameters.batch is 1 and 2 processes train; a multiple of 2 is wanted",
        ),
        (
            {"batch": 16, "rect": True},
            2,
            "spec.hyperparameters.extra.rect is true and 2 processes train; leave it out",
        ),
    ],
)
def test_every_process_needs_its_share(
    arguments: dict[str, Any], count: int, refusal: str | None
) -> None:
    if refusal is None:
        check_shares(arguments, count)
        return
    with pytest.raises(InvalidError) as raised:
        check_shares(arguments, count)
    assert str(raised.value) == refusal


@pytest.mark.parametrize(
    ("code", "words", "exit_code", "message"),
    [
        (64, "spec.x is 1", 64, "spec.x is 1"),
        (143, "superseded by pod b; this one stops", 143, "superseded by pod b; this one stops"),
        (
            70,
            "unexpected ValueError; the pod's log has the traceback",
            70,
            "process 1 of 2: unexpected ValueError; the pod's log has the traceback",
        ),
        (-9, None, 137, "process 1 of 2 was ended by SIGKILL"),
        (-11, None, 139, "process 1 of 2 was ended by SIGSEGV"),
        (1, None, 1, "process 1 of 2 ended without a word"),
    ],
)
def test_the_program_ends_as_its_process_did(
    tmp_path: Path, code: int, words: str | None, exit_code: int, message: str
) -> None:
    if words is not None:
        (tmp_path / "last-words-1").write_text(words)
    end = ended(1, 2, code, tmp_path)
    assert (end.exit_code, str(end)) == (exit_code, message)
