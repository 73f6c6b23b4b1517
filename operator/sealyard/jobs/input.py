"""Input that is too long for a task: its parts are mounted, its digest stands in the task."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from sealyard.api.model import Model
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.harness import describe_validation

ModelT = TypeVar("ModelT", bound=Model)


def read_input(folder: Path, sha256: str, kind: type[ModelT]) -> ModelT:
    """The document whose parts lie in a folder (`sealyard.api.mounts.INPUT_DIRECTORY`).

    Args:
        folder: has the files `0000`, `0001`, … and nothing else that begins with a digit.
        sha256: over all of it, in hex.
        kind: what it is.

    Raises:
        MissingError: there is none, or it cannot be read.
        IntegrityError: it has another digest: a part is missing, or is not this Job's.
        InvalidError: it is no such document.
    """
    parts = sorted(folder.glob("[0-9]*"))
    if not parts:
        raise MissingError(f"{folder} is empty; the operator mounts the Job's ConfigMaps there")
    try:
        raw = b"".join(part.read_bytes() for part in parts)
    except OSError as error:
        raise MissingError(f"{folder}: cannot be read ({error.strerror})") from None
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise IntegrityError(
            f"{folder}: {len(parts)} parts have SHA-256 {found}, the task says {sha256}"
        )
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        problems = describe_validation(error)
    raise InvalidError(f"{folder}: {problems}")
