"""The annotation that opens a Failed object again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sealyard.api.kind import REQUESTED_AT_ANNOTATION, CustomResource
from sealyard.core.times import parse_time

HOW_TO_REOPEN = (
    f"to try again, set the annotation {REQUESTED_AT_ANNOTATION} to the current time (RFC 3339)"
)


@dataclass(frozen=True, slots=True)
class Request:
    """Whether somebody asked for another try after the object had failed."""

    granted: bool
    due_in: float | None = None
    """Seconds until a request that lies in the future, by this clock, is granted."""


def request(resource: CustomResource, failed_at: datetime | None, now: datetime) -> Request:
    """Judges the annotation of an object that failed at a given time.

    A request in the future waits for its time: granted at once, it would still be newer than the
    next failure, and the object would fail and reopen without end.
    """
    requested_at = parse_time(resource.metadata.annotations.get(REQUESTED_AT_ANNOTATION))
    if requested_at is None or (failed_at is not None and requested_at <= failed_at):
        return Request(granted=False)
    if requested_at > now:
        return Request(granted=False, due_in=(requested_at - now).total_seconds())
    return Request(granted=True)
