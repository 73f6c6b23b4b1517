"""What keeps a router from filing at this moment, for the report, the metrics and readiness."""

from __future__ import annotations

import threading

from sealyard.api.annotation_route import FilingProblem


class Troubles:
    """Problems that last, each with a line on it. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[FilingProblem, str] = {}

    def begin(self, problem: FilingProblem, line: str) -> None:
        """There is a problem, maybe still."""
        with self._lock:
            self._lines[problem] = line

    def over(self, *problems: FilingProblem) -> None:
        """These are no problems, or no more."""
        with self._lock:
            for problem in problems:
                self._lines.pop(problem, None)

    @property
    def first(self) -> tuple[FilingProblem, str] | None:
        """The one that began first, and its line."""
        with self._lock:
            return next(iter(self._lines.items()), None)
