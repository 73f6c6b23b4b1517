"""A batch's decisions as requests to the store: what comes before its entry, and what goes after.

Only what an item is at the end of the batch is written. A picture that an item had, or got and lost
within the batch, is kept in `withdrawn/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sealyard.annotations.items import Item
from sealyard.annotations.journal import FiledPicture, Record
from sealyard.annotations.labels import label_lines
from sealyard.annotations.layout import parse_file, rejected_keys, withdrawn_key
from sealyard.annotations.message import redacted
from sealyard_router.verdict import Decision

Content = bytes | bytearray


@dataclass(frozen=True, slots=True)
class FilingPlan:
    """What a batch costs the store.

    Attributes:
        writes: what to write, by key, before the entry.
        copies: what to copy, from where by where to, before the entry.
        obsolete: what to delete after it.
        items: what the items are then.
    """

    writes: Mapping[str, Content]
    copies: Mapping[str, str]
    obsolete: tuple[str, ...]
    items: Mapping[str, Item]

    @property
    def made(self) -> frozenset[str]:
        """All keys that it makes."""
        return frozenset(self.writes) | frozenset(self.copies)


@dataclass(slots=True)
class _Change:
    """What a batch does to one item."""

    before: Item | None
    after: Item | None
    contents: dict[str, Content] = field(default_factory=dict)
    """The pictures that came, by digest."""
    had: dict[str, FiledPicture] = field(default_factory=dict)
    """The pictures that it had at any moment, by digest."""


def plan(decisions: Sequence[Decision], classes: Sequence[str]) -> FilingPlan:
    """What filing a batch takes.

    Args:
        decisions: in the order of the stream, each on what the one before left.
        classes: in the order in which labels count them.
    """
    writes: dict[str, Content] = {}
    copies: dict[str, str] = {}
    changes = _changes(decisions)
    for decision in decisions:
        if decision.record.verdict == "rejected":
            writes |= _refusal(decision)
    for change in changes.values():
        _file(change, classes, writes, copies)
        _withdraw(change, writes, copies)
    items = {name: one.after for name, one in changes.items() if one.after is not None}
    return FilingPlan(
        writes, copies, obsolete((one.before, one.after) for one in changes.values()), items
    )


def obsolete(changes: Iterable[tuple[Item | None, Item | None]]) -> tuple[str, ...]:
    """The files that some items have no more, by what they were and what they are."""
    gone: list[str] = []
    for before, after in changes:
        has = after.keys if after is not None else ()
        gone += [key for key in (before.keys if before is not None else ()) if key not in has]
    return tuple(gone)


def as_filed(
    made: Iterable[str],
    item: Callable[[str], Item | None],
    refused: Iterable[Record],
    classes: Sequence[str],
) -> dict[str, bytes]:
    """What must lie at some keys for which two routers with other rules have other bytes.

    These are the labels of an item whose picture a later message brought, and why a message was
    refused. Everything else at a key is said by its message alone.

    Args:
        made: keys that a router has written to before it found that another had filed.
        item: gives an item as it is by the journal.
        refused: what the journal has refused of late.
        classes: in the order in which labels count them.
    """
    right: dict[str, bytes] = {}
    reasons = {rejected_keys(record.offset)[0]: record for record in refused}
    for key in made:
        named = parse_file(key)
        filed = item(named[0]) if named is not None else None
        if filed is not None and key in filed.keys[1:]:
            right[key] = label_lines(filed.boxes, classes).encode()
        elif key in reasons:
            right[key] = _told(reasons[key])
    return right


def _changes(decisions: Sequence[Decision]) -> dict[str, _Change]:
    changes: dict[str, _Change] = {}
    for decision in decisions:
        name = decision.record.id
        if name is None or decision.after is decision.before:
            continue
        change = changes.setdefault(name, _Change(decision.before, decision.after))
        change.after = decision.after
        for item in (decision.before, decision.after):
            if item is not None and item.is_filed and item.picture is not None:
                change.had[item.picture.sha256] = item.picture
        if decision.content is not None and decision.record.picture is not None:
            change.contents[decision.record.picture.sha256] = decision.content
    return changes


def _file(
    change: _Change, classes: Sequence[str], writes: dict[str, Content], copies: dict[str, str]
) -> None:
    before, after = change.before, change.after
    if after is None or after.picture is None or not after.is_filed:
        return
    image, label = after.keys
    writes[label] = label_lines(after.boxes, classes).encode()
    content = change.contents.get(after.picture.sha256)
    if content is not None:
        writes[image] = content
    elif before is not None:
        copies[image] = before.keys[0]


def _withdraw(change: _Change, writes: dict[str, Content], copies: dict[str, str]) -> None:
    before, after = change.before, change.after
    kept = after.picture if after is not None and after.is_filed else None
    for sha256, picture in change.had.items():
        if after is None or (kept is not None and kept.sha256 == sha256):
            continue
        key = withdrawn_key(after.id, sha256, picture.media_type)
        if sha256 in change.contents:
            writes[key] = change.contents[sha256]
        elif before is not None:
            copies[key] = before.keys[0]


def _refusal(decision: Decision) -> dict[str, Content]:
    told, message = rejected_keys(decision.record.offset)
    return {told: _told(decision.record), message: redacted(decision.delivery.body)}


def _told(record: Record) -> bytes:
    return (json.dumps(record.to_wire(), ensure_ascii=False, indent=1) + "\n").encode()
