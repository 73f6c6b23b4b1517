"""Reads what a route's journal says: at an offset, and now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sealyard.annotations.journal import NamedCheckpoint
from sealyard.annotations.layout import CHECKPOINTS, JOURNAL, checkpoint_key, entry_key
from sealyard.annotations.lines import Entry, parse_checkpoint, parse_entry
from sealyard.annotations.snapshot import Fold, State
from sealyard.delivery.annotation_storage import AnnotationStorage
from sealyard.delivery.threads import in_threads
from sealyard.errors import MissingError

_ENTRY: Final = re.compile(rf"{JOURNAL}([0-9]{{12}})\.jsonl")
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

        It is read on to the entry that names the checkpoint which was begun with: only that it
        follows shows that the name is of this journal.

        Raises:
            MissingError: so much is not filed, or there is no journal.
            IntegrityError: the journal is not whole, or was changed.
            UnavailableError, RefusedError: as the store says.
        """
        fold, last = self._begin(before=offset)
        state = fold.state if fold.offset == offset else None
        for entry in self._entries(fold.sequence, last):
            if state is None and entry.header.end >= offset:
                state = fold.before(offset, entry)
            fold.take(entry)
        if state is not None:
            return state
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
            self._now, _ = self._begin()
        for entry in self._entries(self._now.sequence):
            self._now.take(entry)
        return self._now.state

    def newest(self) -> Iterator[Entry]:
        """The entries from the last one back; whether they follow each other is not asked.

        Raises:
            IntegrityError, UnavailableError, RefusedError: as `at`.
        """
        yield from map(self._entry, reversed(self._numbers(0)))

    def _begin(self, before: int | None = None) -> tuple[Fold, int]:
        """What the newest checkpoint that is not after an offset knows, and the entry to read to.

        From the newest entry back: each names the newest checkpoint that there was.
        """
        there = set(self._storage.keys(CHECKPOINTS))
        last = max(self._numbers(0), default=-1)
        named = self._entry(last).header.checkpoint if last >= 0 else None
        while named is not None:
            is_early = before is None or named.offset <= before
            if is_early and _key(named) in there:
                content = self._storage.read(_key(named))
                return Fold.after(parse_checkpoint(content, named)), last
            # One that somebody deleted has to be done without.
            last = last if is_early else named.sequence
            named = self._entry(named.sequence).header.checkpoint
        return Fold(), last

    def _entries(self, sequence: int, last: int | None = None) -> Iterator[Entry]:
        numbers = [one for one in self._numbers(sequence) if last is None or one <= last]
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


def _key(named: NamedCheckpoint) -> str:
    return checkpoint_key(named.sequence, named.offset)
