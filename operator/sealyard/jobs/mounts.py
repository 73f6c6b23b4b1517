"""The folders and files of a Job's container, as a value that a caller may put elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealyard.api import mounts
from sealyard.api.secrets import SECRETS_DIRECTORY


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where a program finds what was mounted for it; the defaults are those of `api.mounts`."""

    workspace: Path = Path(mounts.WORKSPACE_DIRECTORY)
    dataset: Path = Path(mounts.DATASET_DIRECTORY)
    weights: Path = Path(mounts.WEIGHTS_DIRECTORY)
    annotations: Path = Path(mounts.ANNOTATIONS_DIRECTORY)
    scratch: Path = Path(mounts.SCRATCH_DIRECTORY)
    secrets: Path = Path(SECRETS_DIRECTORY)
    ca: Path = Path(mounts.CA_DIRECTORY)
    input: Path = Path(mounts.INPUT_DIRECTORY)
    trust_root: Path = Path(mounts.TRUST_ROOT_DIRECTORY)
    progress_token: Path = Path(mounts.PROGRESS_TOKEN_FILE)
    termination_message: Path = Path(mounts.TERMINATION_MESSAGE_FILE)
