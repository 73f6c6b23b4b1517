"""Which checkpoints a journal is read from: those that an entry names, byte for byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sealyard.delivery.annotation_journal import Journal
from sealyard.errors import IntegrityError, MissingError
from support.filed_annotations import Filed, a_picture, a_record

FIRST = "checkpoints/000000000000-000000000001.jsonl"
SECOND = "checkpoints/000000000002-000000000003.jsonl"
ENTRIES = [f"journal/{number:012}.jsonl" for number in range(5)]


def storage() -> Filed:
    """Five entries of a message each, with a checkpoint after the first and the third."""
    made = Filed()
    for offset in range(5):
        picture = made.picture(a_picture(offset))
        made.file(a_record(offset, f"item-{offset}", picture=picture, has_bytes=True))
        if offset in {0, 2}:
            made.checkpoint()
    return made


def state(made: Filed, offset: int | None) -> set[str]:
    """The items at an offset, or now."""
    journal = Journal(made)
    return set((journal.now() if offset is None else journal.at(offset)).items)


@pytest.mark.parametrize(("offset", "unread"), [(None, 3), (5, 3), (3, 3), (2, 1), (1, 1)], ids=str)
def test_what_comes_before_a_checkpoint_that_is_named_is_not_read(
    offset: int | None, unread: int
) -> None:
    made = storage()
    wanted = {f"item-{number}" for number in range(5 if offset is None else offset)}
    for key in ENTRIES[: unread - 1]:
        del made.files[key]
    assert state(made, offset) == wanted


def other_boxes(content: bytes) -> bytes:
    return content.replace(b'"x":0.5', b'"x":0.4')


def other_annotator(content: bytes) -> bytes:
    return content.replace(b"ada@example.test", b"eve@example.test")


def cut(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("harm", [other_boxes, other_annotator, cut])
@pytest.mark.parametrize(("offset", "key"), [(None, SECOND), (4, SECOND), (2, FIRST)])
def test_a_checkpoint_that_was_changed_is_named(
    harm: Callable[[bytes], bytes], offset: int | None, key: str
) -> None:
    made = storage()
    assert harm(made.files[key]) != made.files[key]
    made.files[key] = harm(made.files[key])
    with pytest.raises(IntegrityError, match=f"^{key} has the SHA-256 .* delete it"):
        state(made, offset)


def test_one_checkpoint_is_not_taken_for_another() -> None:
    made = storage()
    assert made.named is not None
    made.files[SECOND] = made.files[FIRST]
    with pytest.raises(IntegrityError, match="has the SHA-256"):
        state(made, None)


@pytest.mark.parametrize("gone", [[SECOND], [FIRST], [FIRST, SECOND]], ids=len)
@pytest.mark.parametrize("offset", [None, *range(6)], ids=str)
def test_one_that_was_deleted_is_done_without(gone: list[str], offset: int | None) -> None:
    made = storage()
    for key in gone:
        del made.files[key]
    assert state(made, offset) == state(storage(), offset)


def test_one_that_no_entry_names_is_passed_over() -> None:
    """Whoever may write there may put one: the journal does not know it."""
    made = storage()
    made.checkpoint()
    key = made.keys("checkpoints/")[-1]
    made.files[key] = other_annotator(made.files[key])
    items = Journal(made).now().items
    assert {item.annotator for item in items.values()} == {"ada@example.test"}


def test_a_name_is_believed_of_a_journal_that_is_whole() -> None:
    """An entry behind the offset names the checkpoint; it has to follow all the others."""
    made = storage()
    made.files[ENTRIES[1]] = other_annotator(made.files[ENTRIES[1]])
    with pytest.raises(IntegrityError, match="journal entry 2 follows the digest"):
        state(made, 2)
    with pytest.raises(MissingError, match="ends at offset 5, and 6 is wanted"):
        state(storage(), 6)
