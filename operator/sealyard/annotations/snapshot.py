"""The items of a route at an offset, from a checkpoint and the journal after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from sealyard.annotations.items import Item, follow
from sealyard.annotations.journal import Record
from sealyard.annotations.layout import image_key, withdrawn_key
from sealyard.annotations.lines import Checkpoint, Entry
from sealyard.annotations.split import is_validation
from sealyard.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class State:
    """All items of a route at an offset, seed and deleted ones too."""

    items: Mapping[str, Item]
    classes: tuple[str, ...]
    offset: int

    @property
    def validated(self) -> list[Item]:
        """Those that may be trained on, by id."""
        there = (item for item in self.items.values() if item.folder == "validated")
        return sorted((item for item in there if item.is_filed), key=lambda item: item.id)


@dataclass(slots=True)
class Fold:
    """The items after one journal entry and another. It takes none but the one that follows."""

    sequence: int = 0
    """Of the entry that comes next."""
    offset: int = 0
    """Where the last one ended."""
    digest: str | None = None
    """Of the last one."""
    classes: tuple[str, ...] = ()
    items: dict[str, Item] = field(default_factory=dict)

    @classmethod
    def after(cls, checkpoint: Checkpoint) -> Self:
        """What a checkpoint knows."""
        header = checkpoint.header
        return cls(
            sequence=header.sequence + 1,
            offset=header.offset,
            digest=header.entry,
            classes=tuple(header.classes),
            items={item.id: item for item in checkpoint.items},
        )

    @property
    def state(self) -> State:
        """As it is now; what is taken later does not change it."""
        return State(dict(self.items), self.classes, self.offset)

    def take(self, entry: Entry) -> None:
        """Go on by an entry.

        Raises:
            IntegrityError: it is not the one that follows, or its records are not in order.
        """
        self._check(entry)
        _apply(self.items, entry.records)
        self.sequence += 1
        self.offset = entry.header.end
        self.digest = entry.digest
        self.classes = tuple(entry.header.classes)

    def before(self, offset: int, entry: Entry) -> State:
        """The state at an offset within the entry that follows, which is not taken by this.

        Raises:
            IntegrityError: as `take`.
        """
        self._check(entry)
        items = dict(self.items)
        _apply(items, (record for record in entry.records if record.offset < offset))
        return State(items, tuple(entry.header.classes), offset)

    def _check(self, entry: Entry) -> None:
        header = entry.header
        name = f"journal entry {header.sequence}"
        if header.sequence != self.sequence:
            raise IntegrityError(f"{name} lies where {self.sequence} must; the journal has a gap")
        if header.previous != self.digest:
            raise IntegrityError(
                f"{name} follows the digest {header.previous}, and the one before it has "
                f"{self.digest}; the journal was changed"
            )
        if self.digest is not None and header.begin != self.offset:
            raise IntegrityError(
                f"{name} begins at offset {header.begin}, and the one before it ended at "
                f"{self.offset}"
            )
        last = header.begin - 1
        for record in entry.records:
            if not last < record.offset < header.end:
                raise IntegrityError(f"{name} has offset {record.offset} out of its order")
            last = record.offset


def _apply(items: dict[str, Item], records: Iterable[Record]) -> None:
    for record in records:
        if record.id is None:
            continue
        item = follow(items.get(record.id), record)
        if item is not None:
            items[record.id] = item


def places(item: Item, now: Item | None) -> tuple[str, ...]:
    """The keys that an item's picture may have, the likeliest first.

    Args:
        item: as it was at some offset.
        now: the same as the newest entry has it; None where none tells of it.
    """
    if item.picture is None:
        return ()
    kept = withdrawn_key(item.id, item.picture.sha256, item.picture.media_type)
    if now is None or now.folder is None or now.picture is None or not now.is_filed:
        return (kept,)
    if now.picture.sha256 != item.picture.sha256:
        return (kept,)
    return (image_key(now.folder, now.id, now.offset, now.picture.media_type), kept)


@dataclass(frozen=True, slots=True)
class Division:
    """The items of a dataset by the side that they are on."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    doubles: tuple[Item, ...]
    """On neither: the same picture, under another id, is in the validation set."""


def divide(items: Iterable[Item], percent: int) -> Division:
    """Split items by their ids and groups, as every run of the route does.

    Args:
        items: with pictures.
        percent: of them, about, that the model is judged by.
    """
    train: list[Item] = []
    validation: list[Item] = []
    for item in items:
        side = validation if is_validation(item.id, item.group, percent) else train
        side.append(item)
    judged = {item.picture.sha256 for item in validation if item.picture}
    doubles = [item for item in train if item.picture and item.picture.sha256 in judged]
    twice = {item.id for item in doubles}
    return Division(
        tuple(item for item in train if item.id not in twice), tuple(validation), tuple(doubles)
    )
