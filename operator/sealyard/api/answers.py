"""What a Job answers: one JSON document in the termination message of its container `main`.

Kubernetes keeps 4,096 bytes of it, so an answer holds digests, counts and the first failures.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from sealyard.api.dataset import DatasetStatus
from sealyard.api.model import Model, Name, RelativePath, Sha256, Timestamp
from sealyard.api.model_release import FiguresOf, Platform
from sealyard.api.probe import MAX_CHECKS, CheckOutcome
from sealyard.api.release_target import RewrapSummary
from sealyard.api.training_run import Artifact, Metrics

MAX_ANSWER_BYTES = 4096
MAX_MESSAGE_LENGTH = 900
MAX_FAILURES = 3
MAX_FAILURE_LENGTH = 240


class Transfer(Model):
    """What a training took from the weights that it was to start from."""

    sha256: Sha256 = Field(description="Of the file.")
    taken: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Tensors. Absent where an earlier attempt took them."
    )
    tensors: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Those that the model has."
    )

    @property
    def share(self) -> str:
        """How much was taken, in words; empty where that is not known."""
        return "" if self.taken is None else f" ({self.taken} of {self.tensors} tensors)"


class TrainResult(Model):
    """What a finished training hands on."""

    epochs: Annotated[int, Field(ge=1)]
    resumed_from_epoch: Annotated[int, Field(ge=0)] | None = None
    metrics: Metrics
    dataset: DatasetStatus
    weights: Transfer | None = None
    artifacts: Annotated[list[Artifact], Field(min_length=1, max_length=8)]


class ExportResult(Model):
    """What a finished export hands on."""

    variant: Name
    path: RelativePath
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=1)]
    max_difference: float
    metrics: Metrics | None = Field(
        default=None, description="Of the exported file, on the run's validation set."
    )
    figures_of: FiguresOf = Field(
        default="file",
        description="What was measured; `onnx` is what an engine was built from that cannot run "
        "here.",
    )
    platform: Platform | None = Field(default=None, description="Where the file runs.")


class PublishedVariant(Model):
    """Where the two parts of a variant are."""

    name: Name
    small_bytes: Annotated[int, Field(ge=0)]
    big_bytes: Annotated[int, Field(ge=0)]
    object_id: Sha256 = Field(description="The last part of the key `{prefix}/objects/{id}`.")


class PublishResult(Model):
    """What a finished publication hands on."""

    manifest_sha256: Sha256
    variants: Annotated[list[PublishedVariant], Field(min_length=1, max_length=16)]


class VerifyResult(Model):
    """What was proven to open."""

    manifest_sha256: Sha256
    variants: Annotated[list[Name], Field(min_length=1, max_length=16)]


class TidyResult(Model):
    """What was deleted."""

    files: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]


class RewrapResult(RewrapSummary):
    """What a finished rewrap has seen and done."""


class ProbeResult(Model):
    """What a probe has found out; every check stands there, judged or not."""

    generation: Annotated[int, Field(ge=1)]
    refuses_overwriting: bool | None = None
    checks: Annotated[list[CheckOutcome], Field(min_length=1, max_length=MAX_CHECKS)]


class PartialResult(Model):
    """What could not be done though all else was: how much, and the first of it by name."""

    failed: Annotated[int, Field(ge=0)] = 0
    failures: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=MAX_FAILURE_LENGTH)], ...],
        Field(max_length=MAX_FAILURES),
    ] = ()

    @property
    def said(self) -> str:
        """The failures in one line; empty if there are none."""
        more = self.failed - len(self.failures)
        return "; ".join([*self.failures, *([f"and {more} more"] if more else [])])


class GrantResult(PartialResult):
    """What a finished grant Job has seen and done."""

    input_sha256: Sha256
    devices: Annotated[int, Field(ge=0)] = Field(description="Of the input, suspended ones too.")
    granted: Annotated[int, Field(ge=0)] = Field(description="Slots that were written.")
    unchanged: Annotated[int, Field(ge=0)] = Field(description="Slots that were there.")
    dropped: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Slots that were there, of devices that are not to have them."
    )


class IndexResult(Model):
    """The index that devices see now."""

    input_sha256: Sha256
    version: Annotated[int, Field(ge=1)] = Field(description="Of the timestamp.")
    expires: Timestamp = Field(
        description="When the first of timestamp, snapshot and targets expires."
    )
    releases: Annotated[int, Field(ge=0)]
    channels: Annotated[int, Field(ge=0)]
    changed: bool = Field(description="Whether targets were signed anew, not only the freshness.")


class Answer(Model):
    """The envelope: one line for people, a result for the operator, or neither result nor doubt."""

    message: Annotated[str, StringConstraints(max_length=1024)]
    result: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """The bytes of the termination message; the message gives way if there is too much.

        Raises:
            ValueError: the result alone does not fit.
        """
        message = self.message[:MAX_MESSAGE_LENGTH]
        document: dict[str, Any] = {"message": message}
        if self.result is not None:
            document["result"] = self.result
        encoded = _dump(document)
        while len(encoded) >= MAX_ANSWER_BYTES and document["message"]:
            document["message"] = document["message"][: len(document["message"]) // 2]
            encoded = _dump(document)
        if len(encoded) >= MAX_ANSWER_BYTES:
            raise ValueError(f"the answer has {len(encoded)} bytes; fewer than 4096 fit")
        return encoded


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def parse_answer(text: str) -> Answer | None:
    """The answer in a termination message, or None where there is none that can be read."""
    try:
        return Answer.model_validate_json(text)
    except ValidationError:
        return None
