"""A message's bytes as an annotation and a picture, or why they are none."""

from __future__ import annotations

from dataclasses import dataclass

from sealyard.annotations.message import Annotation, digest, parse
from sealyard.errors import InvalidError
from sealyard_router.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Message:
    """An annotation that can be read; nothing of what it says is believed yet.

    Attributes:
        annotation: its line.
        digest: hex SHA-256 of what it says.
        content: the picture that is attached, which is the one it names; empty where none is.
    """

    annotation: Annotation
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no annotation, and why not: one line."""

    reason: str


def read(body: bytes) -> Message | Unreadable:
    """What a message says."""
    try:
        annotation, content = parse(body)
    except InvalidError as error:
        return Unreadable(str(error))
    return Message(annotation, digest(annotation), content)


def read_delivery(delivery: Delivery) -> Message | Unreadable:
    """What a message says that came from a stream, if all of it came."""
    if delivery.fault is not None:
        return Unreadable(f"could not be read: {delivery.fault}")
    return read(delivery.body)
