"""The journal in a store: read on, and written to by whoever comes first."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from sealyard.annotations.items import Item, follow
from sealyard.annotations.journal import EntryHeader, NamedCheckpoint, Record
from sealyard.annotations.layout import (
    CHECKPOINTS,
    JOURNAL,
    checkpoint_key,
    entry_key,
    offset_of,
    parse_file,
)
from sealyard.annotations.lines import (
    CheckpointHeader,
    Entry,
    check_checkpoint,
    entry_bytes,
    parse_entry,
)
from sealyard.delivery.s3_requests import NoObjectError
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError, InvalidError
from sealyard_router.checkpointing import Checkpointing
from sealyard_router.checkpoints import Reading
from sealyard_router.continuity import Place
from sealyard_router.index import Index
from sealyard_router.plan import FilingPlan, obsolete
from sealyard_router.store import Store

_ENTRY_BYTES: Final = 64 << 20
_READERS: Final = 8

logger = logging.getLogger(__name__)


class OvertakenError(Exception):
    """Another router has filed these messages; nothing is lost, and it must be read what it did."""


@dataclass(slots=True)
class _State:
    """What is known of a journal after its last entry that was read or written."""

    sequence: int = 0
    end: int = 0
    previous: str | None = None
    taken: str | None = None
    """When the broker took the last message before `end`."""
    checkpoint: NamedCheckpoint | None = None
    """The newest that an entry names, or that the next one will."""
    classes: list[str] = field(default_factory=list)
    rejected: int = 0
    unproven: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """What a route never changes, so that a journal is told from any other's.

    Attributes:
        route: its namespace and name. One that is deleted and made anew goes on in its journal.
        stream: the name of its stream.
        validation_percent: by which runs split what they learn.
    """

    route: str
    stream: str
    validation_percent: int


class Ledger:
    """One route's journal, and what its items are by it.

    Args:
        store: patient, so that no request of it fails because the store is away.
        index: of the items; filled from the journal.
        origin: of the journal.
        classes: of the route; those that entries already have come first.
    """

    def __init__(
        self, store: Store, index: Index, *, origin: Origin, classes: Sequence[str]
    ) -> None:
        self._store = store
        self._index = index
        self._origin = origin
        self._classes = list(classes)
        self._state = _State()
        self._reading = Reading()
        self._unfinished: tuple[str, ...] = ()
        self.known_from = 0
        """The offset from which on it is known which messages were refused."""
        self._checkpointing: Checkpointing | None = None

    @property
    def end(self) -> int:
        """The offset before which everything is filed."""
        return self._state.end

    @property
    def place(self) -> Place:
        """Where the stream is to be read from."""
        return Place.after(self._state.end, self._state.taken)

    @property
    def is_new(self) -> bool:
        """Nothing was ever filed."""
        return self._state.sequence == 0

    @property
    def classes(self) -> Sequence[str]:
        """As the labels count them that lie there."""
        return self._state.classes

    @property
    def rejected(self) -> int:
        """Messages that were ever refused."""
        return self._state.rejected

    @property
    def unproven(self) -> int:
        """Annotations ever whose role was not proven."""
        return self._state.unproven

    @property
    def lost(self) -> int:
        """Messages ever that the broker had deleted before they were filed."""
        return self._state.lost

    def load(self) -> None:
        """Begin with the newest checkpoint that the journal names.

        Raises:
            IntegrityError: it is another one than was named.
            UnavailableError: the store is away; it may be called again.
        """
        self._index.clear()
        named = self._named()
        if named is None:
            return
        self._reading = Reading()
        key, digest = checkpoint_key(named.sequence, named.offset), hashlib.sha256()
        lines = _lines(self._measured(key, digest.update))
        try:
            header = CheckpointHeader.model_validate_json(next(lines, b""))
            self._index.put(Item.model_validate_json(line) for line in lines)
        except ValidationError:
            raise IntegrityError(
                f"{key} is no checkpoint; delete it, and the journal is read instead"
            ) from None
        check_checkpoint(named, header, digest.hexdigest())
        # The journal keeps every entry; its last message is what the stream is known by.
        entry, _ = self._read(entry_key(header.sequence))
        self._state = _State(
            header.sequence + 1,
            header.offset,
            header.entry,
            entry.records[-1].time if entry.records else None,
            named,
            header.classes,
            header.rejected,
            header.unproven,
            header.lost,
        )
        self.known_from = header.offset

    def read_on(self) -> Iterator[Entry]:
        """Read the entries that came since; each is given once its items are in the index.

        Raises:
            IntegrityError: an entry is missing, is none, or does not follow the one before.
            InvalidError: an entry is another route's.
        """
        after = entry_key(self._state.sequence - 1) if self._state.sequence else ""
        keys = list(self._store.keys(JOURNAL, after))
        entries = in_threads(
            lambda number: self._read(keys[number]), len(keys), workers=_READERS, ahead=_READERS
        )
        for key, (entry, size) in zip(keys, entries, strict=True):
            self._take(key, entry)
            self._reading.add(size)
            yield entry

    def commit(
        self, records: Sequence[Record], plan: FilingPlan, *, begin: int, end: int, lost: int
    ) -> None:
        """Make the next entry, which is what files its messages.

        Args:
            records: of its messages.
            plan: whose files are there; its items are what they are afterwards.
            begin: where the first entry of all begins.
            end: the offset after its last message.
            lost: how many offsets at its begin the broker no longer had.

        Raises:
            OvertakenError: there is one, by another.
        """
        state = self._state
        if self._checkpointing is not None and self._checkpointing.written is not None:
            state.checkpoint, self._checkpointing = self._checkpointing.written, None
        header = EntryHeader(
            sequence=state.sequence,
            route=self._origin.route,
            stream=self._origin.stream,
            begin=begin if self.is_new else state.end,
            end=end,
            lost=lost,
            previous=state.previous,
            checkpoint=state.checkpoint,
            classes=self._classes,
            validation_percent=self._origin.validation_percent,
        )
        key, content = entry_key(state.sequence), entry_bytes(header, records)
        # What is there may be what was sent before an answer was lost.
        if not self._store.create(key, content) and self._store.read(key, _ENTRY_BYTES) != content:
            raise OvertakenError
        self._keep(plan.items.values(), records)
        self._count(header, records, hashlib.sha256(content).hexdigest())
        self._reading.add(len(content))
        self._unfinished = plan.obsolete

    def is_behind(self) -> bool:
        """Somebody has made the next entry."""
        after = entry_key(self._state.sequence - 1) if self._state.sequence else ""
        return next(self._store.keys(JOURNAL, after), None) is not None

    def finish(self) -> None:
        """Delete what the last entry made obsolete; nothing may be committed before."""
        if self._unfinished:
            self._store.delete(self._unfinished)
        self._unfinished = ()

    def check_classes(self) -> None:
        """See that labels count the route's classes as those that lie there do.

        Raises:
            InvalidError: the route's classes are not those of the entries, with more behind them.
        """
        had = self._state.classes
        if self._classes[: len(had)] != had:
            raise InvalidError(
                f"classes: labels were filed with {', '.join(had)[:256]}; these must come first, "
                "in this order"
            )

    def has(self, key: str) -> bool:
        """Whether a file that a message before the end made, or would have, is one to keep.

        Of a refusal before `known_from` nobody knows; it is kept.
        """
        named = parse_file(key)
        if named is not None:
            item = self._index.get(named[0])
            return item is not None and key in item.keys
        offset = offset_of(key)
        return offset is None or offset < self.known_from or self._index.is_refused(offset)

    def checkpoint(self) -> Checkpointing | None:
        """The items as they are now, to be written if that is worth its while."""
        if self._state.previous is None or not self._reading.is_long:
            return None
        state = self._state
        header = CheckpointHeader(
            sequence=state.sequence - 1,
            offset=state.end,
            entry=self._state.previous or "",
            classes=state.classes,
            rejected=state.rejected,
            unproven=state.unproven,
            lost=state.lost,
        )
        self._reading.restart()
        self._checkpointing = Checkpointing(header, self._index.snapshot(), self._reading)
        return self._checkpointing

    def _named(self) -> NamedCheckpoint | None:
        """The checkpoint that the newest entry names; an older one where somebody deleted that."""
        there = list(self._store.keys(CHECKPOINTS))
        # Its name sorts before that of the last entry that it knows.
        newest = JOURNAL + there[-1].removeprefix(CHECKPOINTS) if there else ""
        last = max(self._store.keys(JOURNAL, newest), default=None) if there else None
        while last is not None:
            try:
                entry, _ = self._read(last)
            except NoObjectError:
                raise IntegrityError(f"{last} is not there; bring it back") from None
            named = entry.header.checkpoint
            if named is None or checkpoint_key(named.sequence, named.offset) in there:
                return named
            last = entry_key(named.sequence)
        return None

    def _measured(self, key: str, hashed: Callable[[bytes], object]) -> Iterator[bytes]:
        """The bytes of a checkpoint, whose length is what reading it costs."""
        for piece in self._store.pieces(key):
            self._reading.checkpoint_bytes += len(piece)
            hashed(piece)
            yield piece

    def _read(self, key: str) -> tuple[Entry, int]:
        """An entry, and how long it is."""
        content = self._store.read(key, _ENTRY_BYTES)
        return parse_entry(content, key), len(content)

    def _take(self, key: str, entry: Entry) -> None:
        header, state = entry.header, self._state
        self._check_origin(key, header)
        expected = entry_key(state.sequence)
        if key != expected or header.sequence != state.sequence:
            raise IntegrityError(f"{expected} is not there, and {key} is; bring it back")
        if header.previous != state.previous or (state.sequence and header.begin != state.end):
            raise IntegrityError(f"{key} does not follow the entry before it; bring that back")
        before: dict[str, Item | None] = {}
        after: dict[str, Item | None] = {}
        for record in entry.records:
            if record.id is not None:
                if record.id not in before:
                    before[record.id] = after[record.id] = self._index.get(record.id)
                after[record.id] = follow(after[record.id], record)
        self._keep((item for item in after.values() if item is not None), entry.records)
        self._count(header, entry.records, entry.digest)
        self._unfinished = obsolete((before[name], after[name]) for name in after)

    def _keep(self, items: Iterable[Item], records: Iterable[Record]) -> None:
        """Have the index know, before the end moves: what is before that and not there is stray."""
        refused = (record.offset for record in records if record.verdict == "rejected")
        self._index.put(items, refused)

    def _count(self, header: EntryHeader, records: Sequence[Record], digest: str) -> None:
        state = self._state
        state.sequence, state.end, state.previous = header.sequence + 1, header.end, digest
        state.taken = records[-1].time if records else state.taken
        state.checkpoint, state.classes = header.checkpoint, header.classes
        state.lost += header.lost
        for record in records:
            state.rejected += record.verdict == "rejected"
            state.unproven += record.annotator is not None and record.role is None

    def _check_origin(self, key: str, header: EntryHeader) -> None:
        own = self._origin
        for field_name, had, has in (
            ("the route", header.route, own.route),
            ("the stream", header.stream, own.stream),
            ("validationPercent", header.validation_percent, own.validation_percent),
        ):
            if had != has:
                raise InvalidError(
                    f"{key} is of {field_name} {had}, and this is {has}; a storage is of one "
                    "route, its stream and its split: create a new route with another folder"
                )


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest
