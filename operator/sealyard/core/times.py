"""Times as the API server writes them: RFC 3339 in UTC with Z, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """The wire form of a moment; fractions of a second are cut off."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> datetime | None:
    """The moment that a text names, or None where it is no RFC 3339 time with an offset."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):  # the first or last day of all, elsewhere on the globe
        return None


def end_time(text: str | None) -> datetime | None:
    """When something ends that ends at the time which a text names; None where it names none.

    A text that is no time names one that has passed: a slip of the pen lets nothing last for ever.
    """
    return None if text is None else parse_time(text) or LONG_AGO
