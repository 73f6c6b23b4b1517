"""A message's bytes as an annotation and a picture, or why they are none."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import rfc8785
from pydantic import ValidationError

from sealyard.annotations.message import MAX_LINE_BYTES, Annotation
from sealyard.jobs.harness import describe_validation

_PROOF: Final = re.compile(rb'("jwt"\s*:\s*")[^"]*')


@dataclass(frozen=True, slots=True)
class Message:
    """An annotation that can be read; nothing of what it says is believed yet.

    Attributes:
        annotation: its first line.
        digest: hex SHA-256 of what it says of the item, which neither the proof nor where the
            picture lies is part of.
        content: the picture that is attached; empty where none is.
    """

    annotation: Annotation
    digest: str
    content: memoryview


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no annotation, and why not: one line."""

    reason: str


def read(body: bytes) -> Message | Unreadable:
    """What a message says."""
    end = body.find(b"\n", 0, MAX_LINE_BYTES + 1)
    if end < 0:
        return Unreadable(f"has no line feed within its first {MAX_LINE_BYTES} bytes")
    try:
        annotation = Annotation.model_validate_json(body[:end])
    except ValidationError as error:
        return Unreadable(describe_validation(error))
    return Message(annotation, _digest(annotation), memoryview(body)[end + 1 :])


def without_proof(body: bytes) -> bytes:
    """A message without its token: who may look at what was refused must not become its author."""
    end = body.find(b"\n", 0, MAX_LINE_BYTES + 1) + 1 or len(body)
    return _PROOF.sub(rb"\1", body[:end]) + body[end:]


def _digest(annotation: Annotation) -> str:
    document = annotation.to_wire()
    document.pop("proof", None)
    document.get("picture", {}).pop("uri", None)
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()
