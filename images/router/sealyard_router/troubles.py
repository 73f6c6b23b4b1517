"""What keeps a router from filing at this moment, for the report, the metrics and readiness."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sealyard.api.annotation_route import FilingProblem


class Troubles:
    """Problems that last, each with a line on it. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[FilingProblem, str] = {}
        self.changed: Callable[[], object] = lambda: None
        """Called when one began or is over, from whichever thread saw it."""

    def begin(self, problem: FilingProblem, line: str) -> None:
        """There is a problem, maybe still."""
        with self._lock:
            is_new = problem not in self._lines
            self._lines[problem] = line
        if is_new:
            self.changed()

    def over(self, *problems: FilingProblem) -> None:
        """These are no problems, or no more."""
        with self._lock:
            found = [problem for problem in problems if self._lines.pop(problem, None) is not None]
        if found:
            self.changed()

    @property
    def first(self) -> tuple[FilingProblem, str] | None:
        """The one that began first, and its line."""
        with self._lock:
            return next(iter(self._lines.items()), None)
