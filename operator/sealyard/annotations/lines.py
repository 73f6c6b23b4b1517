"""Journal entries and checkpoints as bytes: a header, then a document in each line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from sealyard.annotations.items import Item
from sealyard.annotations.journal import EntryHeader, NamedCheckpoint, Record
from sealyard.annotations.layout import checkpoint_key
from sealyard.api.model import Model, Sha256
from sealyard.errors import IntegrityError

CHECKPOINT_FORMAT: Final = "sealyard.io/checkpoint/v1"

AnyModel = TypeVar("AnyModel", bound=Model)


class CheckpointHeader(Model):
    """The first line of a checkpoint; an `Item` in each further one, by id, deleted ones too."""

    format: Literal["sealyard.io/checkpoint/v1"] = CHECKPOINT_FORMAT
    sequence: Annotated[int, Field(ge=0)] = Field(description="Of the last entry that it knows.")
    offset: Annotated[int, Field(ge=0)] = Field(description="Where that entry ends.")
    entry: Sha256 = Field(description="Of that whole entry.")
    classes: list[str] = Field(description="Of that entry.")
    rejected: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Records so far that say so."
    )
    unproven: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Records so far of annotations whose role was not proven."
    )
    lost: Annotated[int, Field(ge=0)] = Field(
        default=0, description="What the entries so far say was lost."
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry that was read."""

    header: EntryHeader
    records: tuple[Record, ...]
    digest: str
    """SHA-256 over all its bytes: what the next one calls `previous`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read."""

    header: CheckpointHeader
    items: tuple[Item, ...]


def entry_bytes(header: EntryHeader, records: Iterable[Record]) -> bytes:
    """A journal entry as it is stored."""
    return _join([header, *records])


def checkpoint_bytes(header: CheckpointHeader, items: Iterable[Item]) -> bytes:
    """A checkpoint as it is stored."""
    return _join([header, *sorted(items, key=lambda item: item.id)])


def parse_entry(content: bytes, key: str) -> Entry:
    """A journal entry.

    Args:
        content: all its bytes.
        key: where it lies, for messages.

    Raises:
        IntegrityError: it is none.
    """
    first, *rest = _split(content, key)
    header = _parse(EntryHeader, first, key, 1)
    records = tuple(_parse(Record, line, key, number) for number, line in enumerate(rest, 2))
    return Entry(header, records, hashlib.sha256(content).hexdigest())


def check_checkpoint(named: NamedCheckpoint, header: CheckpointHeader, sha256: str) -> None:
    """Whether a checkpoint is the one that an entry names: nothing else vouches for its items.

    Args:
        named: by the entry.
        header: of what lies under its key.
        sha256: over all the bytes there.

    Raises:
        IntegrityError: it is another one.
    """
    key = checkpoint_key(named.sequence, named.offset)
    if sha256 != named.sha256:
        raise IntegrityError(
            f"{key} has the SHA-256 {sha256}, and the journal says {named.sha256}: it was changed; "
            "delete it, and the journal is read instead"
        )
    if (header.sequence, header.offset) != (named.sequence, named.offset):
        raise IntegrityError(
            f"{key} is a checkpoint after entry {header.sequence} and offset {header.offset}; "
            "delete it, and the journal is read instead"
        )


def parse_checkpoint(content: bytes, named: NamedCheckpoint) -> Checkpoint:
    """A checkpoint that an entry names.

    Args:
        content: all its bytes.
        named: by the entry.

    Raises:
        IntegrityError: it is none, or another one.
    """
    key = checkpoint_key(named.sequence, named.offset)
    first, *rest = _split(content, key)
    header = _parse(CheckpointHeader, first, key, 1)
    check_checkpoint(named, header, hashlib.sha256(content).hexdigest())
    return Checkpoint(
        header, tuple(_parse(Item, line, key, number) for number, line in enumerate(rest, 2))
    )


def _join(documents: Sequence[Model]) -> bytes:
    lines = (one.model_dump_json(by_alias=True, exclude_none=True) for one in documents)
    return "".join(f"{line}\n" for line in lines).encode()


def _split(content: bytes, key: str) -> list[bytes]:
    if not content.endswith(b"\n"):
        raise IntegrityError(f"{key} does not end with a whole line")
    return content[:-1].split(b"\n")


def _parse(model: type[AnyModel], line: bytes, key: str, number: int) -> AnyModel:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        where = ".".join(str(part) for part in first["loc"]) or "line"
        raise IntegrityError(f"{key}:{number}: {where}: {first['msg']}") from error
