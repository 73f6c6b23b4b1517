"""What keeps a router from filing at this moment, for the report, the metrics and readiness."""

from __future__ import annotations

import logging
import threading

from sealyard.api.annotation_route import FilingProblem

logger = logging.getLogger(__name__)


class Troubles:
    """Problems that last, each with a line on it. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[FilingProblem, str] = {}

    def begin(self, problem: FilingProblem, line: str) -> None:
        """There is a problem, maybe still; the log has it once."""
        with self._lock:
            is_new = problem not in self._lines
            self._lines[problem] = line
        if is_new:
            logger.warning("%s: %s; trying again until it is over", problem, line)

    def over(self, *problems: FilingProblem) -> None:
        """These are no problems, or no more."""
        with self._lock:
            found = [problem for problem in problems if self._lines.pop(problem, None) is not None]
        for problem in found:
            logger.info("%s is over", problem)

    @property
    def first(self) -> tuple[FilingProblem, str] | None:
        """The one that began first, and its line."""
        with self._lock:
            return next(iter(self._lines.items()), None)
