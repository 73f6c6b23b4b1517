"""Logs as one JSON object a line, for people with jq and for machines."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

QUIET = {"kopf": logging.ERROR, "aiohttp": logging.WARNING, "asyncio": logging.WARNING}
"""kopf logs each retry of each watch; what matters of it is an error."""

OURS = "sealyard"
"""Only our own faults come with a trace: kopf and asyncio give one for each request that failed."""

REPEAT_SECONDS = 60.0


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger`, `message`, and `key` where it is about one object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        key = getattr(record, "key", None)
        if isinstance(key, str):
            entry["key"] = key
        if record.exc_info and record.name.startswith(OURS):
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class RepeatFilter(logging.Filter):
    """Lets a line of kopf's pass once a minute: an API server that is away makes one per request.

    Lines that differ in numbers only count as the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._silent_until: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is said."""
        if record.name.startswith(OURS):
            return True
        kind = re.sub(r"\d+", "#", record.getMessage())
        now = self._clock()
        if now < self._silent_until.get(kind, 0.0):
            return False
        self._silent_until = {
            other: until for other, until in self._silent_until.items() if now < until
        }
        self._silent_until[kind] = now + REPEAT_SECONDS
        return True


def configure_logging(level: str) -> None:
    """Send everything to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, quietest in QUIET.items():
        logging.getLogger(name).setLevel(quietest)
