"""Entries and checkpoints as they are stored, and labels."""

from __future__ import annotations

import pytest

from sealyard.annotations.labels import label_lines
from sealyard.annotations.lines import parse_checkpoint, parse_entry
from sealyard.annotations.message import Box
from sealyard.errors import IntegrityError
from support.filed_annotations import BOX, Filed, a_picture, a_record


def storage() -> Filed:
    made = Filed()
    made.file(a_record(0, "b", picture=made.picture(a_picture(1)), has_bytes=True), a_record(3))
    made.checkpoint()
    return made


def test_what_is_written_is_read() -> None:
    made = storage()
    [entry_key] = made.keys("journal/")
    entry = parse_entry(made.read(entry_key), entry_key)
    assert (entry.header.begin, entry.header.end, entry.header.previous) == (0, 4, None)
    assert [record.id for record in entry.records] == ["b", "a"]
    assert entry.digest == made.fold.digest
    [key] = made.keys("checkpoints/")
    assert made.named is not None
    checkpoint = parse_checkpoint(made.read(key), made.named)
    assert (checkpoint.header.offset, checkpoint.header.entry) == (4, entry.digest)
    assert {item.id: item for item in checkpoint.items} == made.fold.items
    assert [item.id for item in checkpoint.items] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "key does not end with a whole line"),
        (b"{}\n", "key:1: sequence: Field required"),
        (storage().read("journal/000000000000.jsonl")[:-2], "key does not end with a whole line"),
        (storage().read("journal/000000000000.jsonl") + b"x\n", "key:4: line: Invalid JSON"),
        (storage().read("journal/000000000000.jsonl").replace(b"/v1", b"/v2"), "key:1: format"),
    ],
)
def test_what_is_no_entry(content: bytes, message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        parse_entry(content, "key")


def test_labels_count_classes_as_the_route_does() -> None:
    gear = Box.model_validate({"class": "gear", "x": 1 / 3, "y": 0.5, "width": 0.1, "height": 1})
    assert label_lines([BOX, gear], ["coin", "gear"]) == (
        "0 0.5 0.5 0.25 0.25\n1 0.333333333 0.5 0.1 1\n"
    )
    assert label_lines([], ["coin"]) == ""
    with pytest.raises(IntegrityError, match="a box is of the class 'gear'"):
        label_lines([gear], ["coin"])
