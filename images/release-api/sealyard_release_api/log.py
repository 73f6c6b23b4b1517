"""One JSON object a line on stdout: the audit trail, and what the server itself has to say."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

AUDIT = logging.getLogger("sealyard.release_api.audit")
SERVER = logging.getLogger("sealyard.release_api")
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered: it stands in every line about it, and in its answer."""


def timestamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        request_id = REQUEST_ID.get()
        if request_id is not None:
            line["requestId"] = request_id
        fields = getattr(record, "fields", None)
        if fields is None:
            line["message"] = record.getMessage()
        else:
            line.update(fields)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure() -> None:
    """Send every logger's lines to stdout. Uvicorn's access log stays off: it is not an audit."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # Both say in many lines that the server starts and stops, which SERVER says in one.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def audit(fields: dict[str, Any]) -> None:
    """One line of the audit trail. Fields that are not known are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    AUDIT.info("audit", extra={"fields": known})
