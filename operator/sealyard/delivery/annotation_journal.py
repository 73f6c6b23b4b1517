"""Reads what a route's journal says: at an offset, and now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sealyard.annotations.layout import CHECKPOINTS, JOURNAL, checkpoint_key, entry_key
from sealyard.annotations.lines import Entry, parse_checkpoint, parse_entry
from sealyard.annotations.snapshot import Fold, State
from sealyard.delivery.annotation_storage import AnnotationStorage
from sealyard.delivery.threads import in_threads
from sealyard.errors import MissingError

_ENTRY: Final = re.compile(rf"{JOURNAL}([0-9]{{12}})\.jsonl")
_CHECKPOINT: Final = re.compile(rf"{CHECKPOINTS}([0-9]{{12}})-([0-9]{{12}})\.jsonl")
_WORKERS: Final = 8
_AHEAD: Final = 16


class Journal:
    """The journal of a route, read as far as it went when it was last asked.

    Args:
        storage: the route's.
    """

    def __init__(self, storage: AnnotationStorage) -> None:
        self._storage = storage
        self._now: Fold | None = None

    def at(self, offset: int) -> State:
        """The state at an offset.

        Raises:
            MissingError: so much is not filed, or there is no journal.
            IntegrityError: the journal is not whole, or was changed.
            UnavailableError, RefusedError: as the store says.
        """
        fold = self._begin(before=offset)
        if fold.offset == offset:
            return fold.state
        for entry in self._entries(fold.sequence):
            if entry.header.end >= offset:
                return fold.before(offset, entry)
            fold.take(entry)
        raise MissingError(
            f"{self._storage.name}: the journal ends at offset {fold.offset}, and {offset} is "
            "wanted; is this the storage of the route, and whole?"
        )

    def now(self) -> State:
        """The newest state; the journal is read on from where it was read to by this before.

        Raises:
            IntegrityError, UnavailableError, RefusedError: as `at`.
        """
        if self._now is None:
            self._now = self._begin()
        for entry in self._entries(self._now.sequence):
            self._now.take(entry)
        return self._now.state

    def newest(self) -> Iterator[Entry]:
        """The entries from the last one back; whether they follow each other is not asked.

        Raises:
            IntegrityError, UnavailableError, RefusedError: as `at`.
        """
        yield from map(self._entry, reversed(self._numbers(0)))

    def _begin(self, before: int | None = None) -> Fold:
        """What the newest checkpoint that is not after an offset knows, if there is one."""
        found = [
            (int(match[2]), int(match[1]))
            for match in map(_CHECKPOINT.fullmatch, self._storage.keys(CHECKPOINTS))
            if match and (before is None or int(match[2]) <= before)
        ]
        if not found:
            return Fold()
        offset, sequence = max(found)
        key = checkpoint_key(sequence, offset)
        return Fold.after(parse_checkpoint(self._storage.read(key), key))

    def _entries(self, sequence: int) -> Iterator[Entry]:
        numbers = self._numbers(sequence)
        return in_threads(
            lambda index: self._entry(numbers[index]),
            len(numbers),
            workers=_WORKERS,
            ahead=_AHEAD,
        )

    def _numbers(self, sequence: int) -> list[int]:
        matches = map(_ENTRY.fullmatch, self._storage.keys(JOURNAL))
        return sorted(int(match[1]) for match in matches if match and int(match[1]) >= sequence)

    def _entry(self, number: int) -> Entry:
        key = entry_key(number)
        return parse_entry(self._storage.read(key), key)
