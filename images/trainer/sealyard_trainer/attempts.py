"""attempts.json: which attempts worked on a run, and from which epoch each of them went on.

It explains a run and decides nothing: one that cannot be read is begun anew.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sealyard.api.model import Model
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import read_record, write_atomic

ATTEMPTS_FILE = "attempts.json"
KEPT = 1000
"""The newest. A run that goes on and on is no reason for a file that grows and grows."""

logger = logging.getLogger(__name__)


class Attempt(Model):
    """One pod that worked on the run."""

    number: int
    from_epoch: int
    """How many epochs the checkpoint had that it went on from; 0 if it began anew."""
    started_at: datetime


_ATTEMPTS = TypeAdapter(list[Attempt])


def note_attempt(folder: Path, attempt: Attempt) -> list[Attempt]:
    """Write down an attempt that begins, and give all of them up to it."""
    attempts = [*_read(folder / ATTEMPTS_FILE), attempt][-KEPT:]
    write_atomic(folder / ATTEMPTS_FILE, _ATTEMPTS.dump_json(attempts, by_alias=True))
    return attempts


def _read(path: Path) -> list[Attempt]:
    try:
        return _ATTEMPTS.validate_json(read_record(path))
    except FileNotFoundError:
        return []
    except (ValidationError, IntegrityError, OSError):
        logger.warning("%s cannot be read and is begun anew", ATTEMPTS_FILE)
        return []
