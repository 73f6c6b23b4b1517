"""The journal of a route: what became of each message, in the order of the stream.

An entry is one object, which is only ever created (`If-None-Match: *`): whoever creates entry n has
filed the messages in it, and whoever comes second has not. So the position in the stream and what
was filed cannot differ. Its first line is an `EntryHeader`, each further line a `Record`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from sealyard.annotations.message import Box, ItemId, MediaType, Operation
from sealyard.api.model import Model, Sha256

FORMAT: Final = "sealyard.io/journal/v1"

Verdict = Literal["validated", "seed", "deleted", "superseded", "repeated", "rejected"]
"""What a message did to its item: filed it here or there, deleted it; came after a higher revision,
came once more; or was refused. None but the first three changes what an item is."""


class NamedCheckpoint(Model):
    """A checkpoint that an entry vouches for."""

    sequence: Annotated[int, Field(ge=0)] = Field(description="Of the last entry that it knows.")
    offset: Annotated[int, Field(ge=0)] = Field(description="Where that entry ends.")
    sha256: Sha256 = Field(description="Of the whole checkpoint.")


Identity = Literal["jwt", "brokerUser", "Trusted"]
"""By which rule of a route a role counted: a token proved it, the user id of the message said so,
or the message itself claimed it."""


class EntryHeader(Model):
    """The first line of an entry."""

    format: Literal["sealyard.io/journal/v1"] = FORMAT
    sequence: Annotated[int, Field(ge=0)]
    route: str = Field(description="Namespace and name; a journal is of one route.")
    stream: str = Field(description="Its name; a journal is of one stream.")
    begin: Annotated[int, Field(ge=0)] = Field(description="The offset that it begins with.")
    end: Annotated[int, Field(ge=0)] = Field(description="The offset after its last message.")
    lost: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many offsets from `begin` on the broker no longer had."
    )
    previous: Sha256 | None = Field(default=None, description="Of the whole entry before it.")
    checkpoint: NamedCheckpoint | None = Field(
        default=None, description="The newest one that was there; none but a named one is believed."
    )
    classes: list[str] = Field(description="The route's classes, as labels count them.")
    validation_percent: int = Field(description="The route's; by it runs split what they learn.")


class FiledPicture(Model):
    """A picture that is filed, or will be once its bytes come."""

    sha256: Sha256
    size_bytes: int
    media_type: MediaType


class Record(Model):
    """What became of one message."""

    offset: Annotated[int, Field(ge=0)]
    time: str = Field(description="When the broker took it (RFC 3339, milliseconds).")
    verdict: Verdict
    reason: str | None = Field(
        default=None, description="Why it was refused, or its role not believed: one line."
    )
    id: ItemId | None = Field(default=None, description="None where a message has none.")
    revision: int | None = None
    operation: Operation | None = None
    digest: Sha256 | None = Field(
        default=None, description="Over the line without its proof: the same message again or not."
    )
    annotator: str | None = None
    role: str | None = Field(default=None, description="That counted; None where none did.")
    identity: Identity | None = Field(default=None, description="By which rule the role counted.")
    picture: FiledPicture | None = None
    has_bytes: bool = Field(default=False, description="The picture came with it.")
    boxes: list[Box] | None = None
    group: ItemId | None = None
