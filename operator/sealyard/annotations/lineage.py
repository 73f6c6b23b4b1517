"""Which annotations a run was trained on: a line for each, in its folder's `annotations.jsonl`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from pydantic import ValidationError

from sealyard.annotations.journal import Identity
from sealyard.annotations.message import ItemId
from sealyard.annotations.snapshot import Division
from sealyard.api.model import Model, Sha256
from sealyard.errors import IntegrityError

LINEAGE_FILE: Final = "annotations.jsonl"


class UsedAnnotation(Model):
    """An item as it was at the offset that a run is pinned to."""

    id: ItemId
    revision: int
    offset: int
    """Of the message that made it so; its record in the journal says the rest."""
    annotator: str
    role: str | None = None
    identity: Identity | None = None
    """By which rule of the route the role counted."""
    time: str
    sha256: Sha256
    """Of the picture."""
    split: Literal["train", "val"]


def used_annotations(division: Division) -> list[UsedAnnotation]:
    """What a dataset consists of, by id."""
    sides: tuple[Literal["train", "val"], ...] = ("train", "val")
    found = [
        UsedAnnotation(
            id=item.id,
            revision=item.revision,
            offset=item.offset,
            annotator=item.annotator,
            role=item.role,
            identity=item.identity,
            time=item.time,
            sha256=item.picture.sha256,
            split=side,
        )
        for side, items in zip(sides, (division.train, division.validation), strict=True)
        for item in items
        if item.picture is not None
    ]
    return sorted(found, key=lambda one: one.id)


def lineage_bytes(used: Iterable[UsedAnnotation]) -> bytes:
    """The list as it is kept."""
    lines = (one.model_dump_json(by_alias=True, exclude_none=True) for one in used)
    return "".join(f"{line}\n" for line in lines).encode()


def parse_lineage(content: bytes) -> Iterator[UsedAnnotation]:
    """The list again.

    Raises:
        IntegrityError: it is none.
    """
    for number, line in enumerate(content.splitlines(), 1):
        try:
            yield UsedAnnotation.model_validate_json(line)
        except ValidationError as error:
            raise IntegrityError(f"{LINEAGE_FILE}:{number} is no annotation") from error


def count_by_annotator(
    used: Iterable[UsedAnnotation],
) -> list[tuple[str, str | None, Identity | None, int]]:
    """Annotator, role, by which rule it counted, and how many items, most first."""
    counts = Counter((one.annotator, one.role, one.identity) for one in used)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], *(part or "" for part in each[0])))
    return [(*who, count) for who, count in ordered]
