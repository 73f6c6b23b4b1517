"""A batch is decided on while another is being filed: on what items are, at whatever moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from sealyard_router import filer as module
from sealyard_router.filer import Filing
from support.filers import Filers, begin
from support.filing import a_message

BODIES = [
    a_message(attached=False, revision=1),
    a_message(attached=False, revision=3, operation="validated"),
    a_message(attached=False, revision=2),
]


def at_line(number: int, of: str, action: Callable[[], None]) -> Callable[..., Any]:
    """Traces a thread: does something before a line of a file is run, counted as they are run."""
    passed = -1

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any] | None:
        nonlocal passed
        if frame.f_code.co_filename != of:
            return None
        if event == "line":
            passed += 1
            if passed == number:
                action()
        return trace

    return trace


def decided_at(number: int, folder: Path) -> int | None:
    """The revision in the end, if the second batch is decided on before that line of filing the
    first; None where there is no such line."""
    folder.mkdir()
    filer = Filers(folder).start()
    first = begin(filer, BODIES, 0, 1)
    second: list[Filing] = []
    other = threading.Thread(target=lambda: second.append(begin(filer, BODIES, 1, 2)))

    def start() -> None:
        other.start()
        # It may have to wait until this thread goes on.
        other.join(0.2)

    before = sys.gettrace()
    sys.settrace(at_line(number, module.__file__, start))
    try:
        filer.file(first)
    finally:
        sys.settrace(before)
    if other.ident is None:
        return None
    other.join()
    third = begin(filer, BODIES, 2, 3)
    filer.file(second[0])
    filer.file(third)
    item = filer.index.get("tray-1")
    assert item is not None
    return item.revision


def test_no_moment_makes_a_batch_forget_the_one_before(tmp_path: Path) -> None:
    number = 0
    while (revision := decided_at(number, tmp_path / str(number))) is not None:
        assert revision == 3, f"at line {number}"
        number += 1
    assert number > 10
