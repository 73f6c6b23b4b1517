"""nodes.json: what the first of several nodes tells the others through the workspace.

It is written before the processes of that node go to where they are met, and read after those of
the others were there.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from sealyard.api.model import Model
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import read_record, write_atomic

SHARED_FILE = "nodes.json"


class SharedStart(Model):
    """What all begin with, by names in the run's folder."""

    work: str
    """Ultralytics' own folder."""
    start: str
    """The file in it that ultralytics begins with."""
    resumes: bool
    """Whether that is a checkpoint."""


def write_shared_start(folder: Path, start: SharedStart) -> None:
    """Tell the other nodes."""
    write_atomic(folder / SHARED_FILE, start.model_dump_json(by_alias=True).encode())


def read_shared_start(folder: Path) -> SharedStart:
    """What the first node told.

    Raises:
        MissingError: it told nothing, so this is not its workspace.
        IntegrityError: it cannot be read.
    """
    try:
        return SharedStart.model_validate_json(read_record(folder / SHARED_FILE))
    except FileNotFoundError as error:
        raise MissingError(
            "the workspace has nothing of the first node; all nodes must mount the same volume"
        ) from error
    except ValidationError as error:
        raise IntegrityError(f"{SHARED_FILE} is not what was written") from error
