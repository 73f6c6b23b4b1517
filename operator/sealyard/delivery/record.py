"""publish.json: what a publication has done so far, so that a killed one goes on.

It lies in the release's folder of the workspace, for its writer alone: it has the small parts. The
data key stands in it only wrapped.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from sealyard.api.digests import structure_sha256
from sealyard.api.model import Model, Sha256
from sealyard.api.tasks import ExportedVariant, PublishTask
from sealyard.delivery.kept import private_file
from sealyard.delivery.upload import UploadState
from sealyard.jobs.workspace import read_record
from sealyard.sealing.manifest import Variant

RECORD_FILE = "publish.json"


class Uploaded(Model):
    """A variant whose big part is on the CDN."""

    small: Annotated[str, Field(description="base64")]
    variant: Variant

    @property
    def small_bytes(self) -> bytes:
        """The small part."""
        return base64.b64decode(self.small)


class VariantRecord(Model):
    """One variant: begun, and then perhaps uploaded."""

    plaintext_sha256: Sha256
    state: Annotated[str, Field(description="The sealer's, base64: how to seal to the same bytes.")]
    upload: UploadState | None = None
    uploaded: Uploaded | None = None

    @property
    def state_bytes(self) -> bytes:
        """What the format's `resume` takes."""
        return base64.b64decode(self.state)


class _Stored(Model):
    inputs: Sha256
    variants: dict[str, VariantRecord]


class Record:
    """The record of one publication, written anew at every step.

    Args:
        folder: the release's folder in the workspace.
        task: a record that was made for other stores, another split or another format is void.
        kept: called after each step that was written down.
    """

    def __init__(
        self, folder: Path, task: PublishTask, *, kept: Callable[[], object] = lambda: None
    ) -> None:
        self._path = folder / RECORD_FILE
        self._kept = kept
        self._inputs = _inputs_of(task)
        self._variants = _read(self._path, self._inputs)

    def of(self, exported: ExportedVariant) -> VariantRecord | None:
        """What was done for this variant, if it was done with the same plaintext."""
        record = self._variants.get(exported.spec.name)
        if record is None or record.plaintext_sha256 != exported.sha256:
            return None
        return record

    def keep(self, name: str, record: VariantRecord) -> None:
        """Write down how far a variant is."""
        self._variants[name] = record
        stored = _Stored(inputs=self._inputs, variants=self._variants)
        text = stored.model_dump_json(by_alias=True, exclude_none=True, indent=1)
        with private_file(self._path) as file:
            file.write(text.encode())
        self._kept()


def encoded(raw: bytes) -> str:
    """Bytes as a record holds them."""
    return base64.b64encode(raw).decode()


def _inputs_of(task: PublishTask) -> str:
    return structure_sha256(
        {
            "model": task.model,
            "version": task.version,
            "format": task.sealing_format,
            "split": task.split.to_wire(),
            "api": task.api.url,
            "cdn": [task.cdn.endpoint, task.cdn.bucket, task.cdn.prefix],
        }
    )


def _read(path: Path, inputs: str) -> dict[str, VariantRecord]:
    try:
        stored = _Stored.model_validate_json(read_record(path))
    except (FileNotFoundError, ValidationError):
        return {}
    return dict(stored.variants) if stored.inputs == inputs else {}
