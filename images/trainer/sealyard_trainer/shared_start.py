"""nodes.json: what the first of several nodes tells the others.

It is written before the processes of that node go to where they are met, and read after those of
the others were there: in the workspace that they share, or in the copy that it was brought to.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from sealyard.api.model import Model, Sha256
from sealyard.errors import IntegrityError, MissingError, UnavailableError
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
    dataset: Sha256
    """The digest of what the first one learns from."""

    def check_dataset(self, digest: str) -> None:
        """See that this node has fetched the same.

        Raises:
            UnavailableError: it was changed while the nodes fetched it; the next attempt may find
                it at rest, and compares it with what the run has learnt from.
        """
        if digest != self.dataset:
            raise UnavailableError(
                f"the dataset changed while the nodes fetched it: this one has {digest}, and the "
                f"first {self.dataset}"
            )


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
