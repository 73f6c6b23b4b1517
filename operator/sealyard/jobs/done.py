"""DONE.json: what a finished piece of work answered, so that doing it again costs nothing.

The operator may ask twice (it died before it saw the answer, the Job was deleted by hand), and a
custom resource may be made anew under the same name and with the same build inputs. The first gets
the same answer again; the second only if what the work was done with agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from sealyard.api.answers import Answer
from sealyard.api.model import Model
from sealyard.errors import InvalidError
from sealyard.jobs.workspace import read_record, write_atomic

DONE_FILE = "DONE.json"


class Done(Model):
    """A finished piece of work."""

    owner_uid: str
    finished_at: datetime
    inputs: dict[str, str]
    """What must be the same before another owner adopts it: digests, versions."""
    answer: Answer

    def holds(self, *, requested_at: datetime | None) -> bool:
        """Whether it is newer than the last request to do the work again."""
        return requested_at is None or self.finished_at >= requested_at

    def serves(self, *, owner_uid: str, inputs: Mapping[str, str]) -> bool:
        """Whether this owner may take the answer as its own."""
        return self.owner_uid == owner_uid or self.inputs == dict(inputs)


def write_done(folder: Path, *, owner_uid: str, inputs: Mapping[str, str], answer: Answer) -> Done:
    """Record the answer, atomically. It is the last thing that a piece of work does."""
    done = Done(
        owner_uid=owner_uid, finished_at=datetime.now(UTC), inputs=dict(inputs), answer=answer
    )
    write_atomic(folder / DONE_FILE, done.model_dump_json(by_alias=True, indent=1).encode())
    return done


def read_done(folder: Path) -> Done | None:
    """The record in a folder; None where there is none that can be read.

    Whoever adopts it looks first whether the files that it names are still what it says.

    Raises:
        IntegrityError: there is something else of its name.
    """
    try:
        return Done.model_validate_json(read_record(folder / DONE_FILE))
    except (FileNotFoundError, ValidationError):
        return None


def remove_done(folder: Path) -> None:
    """Take back that the work is done, before any of its files changes."""
    (folder / DONE_FILE).unlink(missing_ok=True)


def parse_requested_at(text: str | None) -> datetime | None:
    """The time in an object's annotation `sealyard.io/requestedAt`.

    Raises:
        InvalidError: it is no RFC 3339 time with an offset.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidError(
            f"sealyard.io/requestedAt is {text!r}; a time such as 2026-01-31T12:00:00Z is wanted"
        )
    return time
