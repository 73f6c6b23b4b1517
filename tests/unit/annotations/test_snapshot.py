"""The state of a route at an offset, and what it means for the datasets of two runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealyard.annotations.items import Item, follow
from sealyard.annotations.journal import EntryHeader, Record
from sealyard.annotations.layout import image_key, withdrawn_key
from sealyard.annotations.lines import Entry, entry_bytes, parse_entry
from sealyard.annotations.snapshot import Fold, State, divide, places
from sealyard.delivery.annotation_journal import Journal
from sealyard.errors import IntegrityError, MissingError
from support.filed_annotations import Filed, a_picture, a_record, filed

PICTURES = [filed(a_picture(number)) for number in range(3)]
EVENTS = st.tuples(
    st.sampled_from("abcdefgh"),
    st.sampled_from(["validated", "validated", "seed", "deleted", "superseded", "repeated"]),
    st.sampled_from([*PICTURES, None]),
    st.booleans(),
    st.sampled_from([None, None, "film-1", "film-2"]),
    st.integers(1, 3),
)
HISTORIES = st.lists(EVENTS, min_size=1, max_size=40)


def records_of(history: list[Any]) -> list[Record]:
    """Messages in the order of the stream, with gaps as stored offsets leave them."""
    records, offset = [], 0
    for item, verdict, picture, has_bytes, group, step in history:
        here = None if verdict == "deleted" else picture
        has = has_bytes and here is not None
        records.append(a_record(offset, item, verdict, picture=here, has_bytes=has, group=group))
        offset += step
    return records


def naive(records: list[Record], offset: int) -> dict[str, Item]:
    """What an item is, by the definition."""
    items: dict[str, Item] = {}
    for record in records:
        if record.offset < offset and record.id:
            after = follow(items.get(record.id), record)
            if after:
                items[record.id] = after
    return items


def write(records: list[Record], cuts: set[int], checkpoints: set[int]) -> Filed:
    """The journal with an entry's end at these places, and checkpoints after some of them."""
    storage, part = Filed(), []
    for number, record in enumerate(records):
        part.append(record)
        if number in cuts or number == len(records) - 1:
            _fold(storage, part)
            part = []
            if number in checkpoints:
                storage.checkpoint()
    return storage


def _fold(storage: Filed, part: list[Record]) -> None:
    for record in part:
        if record.picture:
            storage.contents[record.picture.sha256] = b""
    storage.file(*part)


@given(HISTORIES, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.integers(1, 90))
def test_a_checkpoint_and_the_rest_are_the_whole(
    history: list[Any], cuts: set[int], checkpoints: set[int], offset: int
) -> None:
    records = records_of(history)
    journal = Journal(write(records, cuts, checkpoints))
    end = records[-1].offset + 1
    assert journal.now().items == naive(records, end)
    if offset > end:
        with pytest.raises(MissingError, match=f"ends at offset {end}, and {offset} is wanted"):
            journal.at(offset)
    else:
        assert journal.at(offset).items == naive(records, offset)


@given(HISTORIES, st.integers(1, 80), st.integers(0, 80), st.integers(1, 90))
def test_no_later_run_trains_on_what_an_earlier_one_was_judged_by(
    history: list[Any], first: int, later: int, percent: int
) -> None:
    records = records_of(history)
    runs = [
        divide(State(naive(records, offset), ("coin",), offset).validated, percent)
        for offset in (first, first + later)
    ]
    judged = {item.id for item in runs[0].validation}
    assert judged.isdisjoint(item.id for item in runs[1].train)
    for run in runs:
        pictures = {item.picture.sha256 for item in run.validation if item.picture}
        assert pictures.isdisjoint(item.picture.sha256 for item in run.train if item.picture)


def test_what_a_later_run_trains_on_keeps_its_side_for_good() -> None:
    """A group that changes would take an item to the other side; the first one counts."""
    sides = set()
    for group in ("film-1", "film-2", "film-3", "film-4", None):
        created = follow(None, a_record(0, group="film-1", picture=PICTURES[0], has_bytes=True))
        edited = follow(created, a_record(1, group=group, picture=PICTURES[0]))
        assert edited is not None
        assert edited.group == "film-1"
        sides.add(len(divide([edited], 50).train))
    assert len(sides) == 1


def test_only_validated_items_whose_picture_came_are_trained_on() -> None:
    there = {"picture": PICTURES[0], "has_bytes": True}
    records = [
        a_record(0, "good", **there),
        a_record(1, "seed", "seed", **there),
        a_record(2, "gone", **there),
        a_record(3, "gone", "deleted"),
        a_record(4, "awaited", picture=PICTURES[1]),
        a_record(5, None, "rejected", reason="not JSON"),
    ]
    assert [item.id for item in State(naive(records, 9), (), 9).validated] == ["good"]


def test_a_picture_twice_is_on_one_side() -> None:
    items = [
        naive([a_record(0, name, picture=PICTURES[0], has_bytes=True)], 1)[name]
        for name in "abcdefghijklmnopqrst"
    ]
    division = divide(items, 20)
    assert division.validation
    assert not division.train
    assert {item.id for item in division.doubles} == set("abcdefghijklmnopqrst") - {
        item.id for item in division.validation
    }


NOW = {"picture": PICTURES[0], "has_bytes": True}
KEPT = withdrawn_key("a", PICTURES[0].sha256, "image/png")


@pytest.mark.parametrize(
    ("later", "keys"),
    [
        ([], [image_key("validated", "a", 0, "image/png"), KEPT]),
        ([a_record(1, **NOW)], [image_key("validated", "a", 1, "image/png"), KEPT]),
        ([a_record(1, verdict="seed", **NOW)], [image_key("seed", "a", 1, "image/png"), KEPT]),
        ([a_record(1, verdict="deleted")], [KEPT]),
        ([a_record(1, picture=PICTURES[1], has_bytes=True)], [KEPT]),
        ([a_record(1, picture=PICTURES[1])], [KEPT]),
    ],
)
def test_where_a_picture_lies_now(later: list[Record], keys: list[str]) -> None:
    first = a_record(0, **NOW)
    item = naive([first], 1)["a"]
    assert list(places(item, naive([first, *later], 9).get("a"))) == keys
    assert places(item, None) == (KEPT,)


def entry(sequence: int, begin: int, *records: Record, **changes: Any) -> Entry:
    header = {
        "sequence": sequence,
        "route": "default/r",
        "stream": "s",
        "begin": begin,
        "end": begin + 10,
        "classes": ["coin"],
        "validationPercent": 20,
    }
    return parse_entry(entry_bytes(EntryHeader.from_wire(header | changes), records), "key")


FIRST = entry(0, 5, a_record(5), a_record(9))


@pytest.mark.parametrize(
    ("following", "message"),
    [
        (entry(2, 15, previous=FIRST.digest), "journal entry 2 lies where 1 must"),
        (entry(1, 15, previous="0" * 64), "the journal was changed"),
        (entry(1, 15), "the journal was changed"),
        (entry(1, 16, previous=FIRST.digest), "begins at offset 16, and the one before it ended"),
        (entry(1, 15, a_record(14), previous=FIRST.digest), "has offset 14 out of its order"),
        (entry(1, 15, a_record(25), previous=FIRST.digest), "has offset 25 out of its order"),
        (
            entry(1, 15, a_record(18), a_record(18), previous=FIRST.digest),
            "has offset 18 out of its order",
        ),
    ],
)
def test_only_what_follows_is_taken(following: Entry, message: str) -> None:
    fold = Fold()
    fold.take(FIRST)
    before = fold.state
    for refused in (lambda: fold.take(following), lambda: fold.before(99, following)):
        with pytest.raises(IntegrityError, match=message):
            refused()
    assert fold.state == before
