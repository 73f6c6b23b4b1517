"""Files that no entry has, whoever left them and whenever they came: gone without a restart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from sealyard.annotations.items import Item
from sealyard.errors import InvalidError
from sealyard_router.filer import Filer
from sealyard_router.index import Index
from sealyard_router.ledger import Ledger, OvertakenError
from support.annotation_store import assert_each_filed_once, files_of, strays
from support.annotations import a_box
from support.filers import CLASSES, Filers, begin, file
from support.filing import a_message, an_image


@pytest.fixture
def filers(tmp_path: Path) -> Filers:
    return Filers(tmp_path)


def die_before_the_entry(filer: Filer, bodies: list[bytes], first: int, last: int) -> None:
    """Write the files of a batch, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "commit", _die)
        with pytest.raises(KeyboardInterrupt):
            file(filer, bodies, first, last)


def _die(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt


def assert_whole(filers: Filers, bodies: list[bytes], classes: list[str] = CLASSES) -> None:
    assert_each_filed_once(files_of(filers.root), dict(enumerate(bodies)), classes)


GHOSTS = {
    "deleted": [a_message(id="a", operation="deleted", revision=2)],
    "moved": [a_message(an_image(1), id="a", revision=2, role="Validator")],
    "another picture": [a_message(an_image(2), id="a", revision=2)],
}


@pytest.mark.parametrize("then", GHOSTS.values(), ids=GHOSTS)
@pytest.mark.parametrize("is_swept_late", [False, True])
def test_what_a_killed_router_wrote_goes_as_soon_as_its_message_is_filed(
    filers: Filers, then: list[bytes], is_swept_late: bool
) -> None:
    bodies = [a_message(an_image(9), id="z"), a_message(an_image(1), id="a"), *then]
    dying = filers.start()
    file(dying, bodies, 0, 1)
    die_before_the_entry(dying, bodies, 1, 2)
    successor = filers.start()
    if not is_swept_late:
        successor.sweep()
        assert (filers.root / "seed/images/a-000000000001.jpg").exists()
    # What comes is one batch: in the end the item is not what the dead one wrote.
    file(successor, bodies, 1, len(bodies))
    if is_swept_late:
        assert strays(files_of(filers.root), CLASSES)
        successor.sweep()
    assert_whole(filers, bodies)


@pytest.mark.parametrize("is_swept_late", [False, True])
def test_a_refusal_that_is_none_any_more_goes_too(filers: Filers, is_swept_late: bool) -> None:
    classes = [*CLASSES, "stamp"]
    bodies = [a_message(id="z"), a_message(id="a", boxes=[a_box("stamp")]), b"poison"]
    dying = filers.start()
    file(dying, bodies, 0, 1)
    die_before_the_entry(dying, bodies, 1, 3)
    successor = filers.start(classes=classes)
    if not is_swept_late:
        successor.sweep()
    file(successor, bodies, 1, 3)
    if is_swept_late:
        successor.sweep()
    assert_whole(filers, bodies, classes)


def test_who_is_overtaken_takes_back_what_it_wrote_for_later_entries(filers: Filers) -> None:
    bodies = [
        a_message(an_image(9), id="z"),
        a_message(an_image(1), id="a"),
        a_message(id="a", operation="deleted", revision=2),
    ]
    slow, fast = filers.start(), filers.start()
    file(fast, bodies, 0, 1)
    with pytest.raises(OvertakenError):
        file(slow, bodies, 0, 2)
    slow.recover()
    file(slow, bodies, 1, 3)
    assert_whole(filers, bodies)


def test_what_is_written_once_more_after_it_was_deleted_goes_again(filers: Filers) -> None:
    bodies = [
        a_message(an_image(1), id="a"),
        a_message(id="a", operation="deleted", revision=2),
        a_message(an_image(9), id="z"),
    ]
    slow, fast = filers.start(), filers.start()
    for number in range(3):
        file(fast, bodies, number, number + 1)
    late = begin(slow, bodies, 0, 1)
    # Its entry is the one that is there, so it counts as made; its files come after all else.
    slow.file(late)
    assert (filers.root / "seed/images/a-000000000000.jpg").exists()
    with pytest.raises(OvertakenError):
        file(slow, bodies, 1, 3)
    slow.recover()
    assert_whole(filers, bodies)


def test_where_rules_differ_the_journal_says_what_lies_there(filers: Filers) -> None:
    """The picture comes with a message that says nothing of the boxes that count."""
    bodies = [
        a_message(an_image(1), attached=False, id="a", boxes=[a_box("coin", x=0.25)]),
        a_message(an_image(1), attached=False, id="a", revision=2, boxes=[a_box("stamp")]),
        a_message(an_image(1), id="a", boxes=[a_box("coin", x=0.25)]),
        a_message(an_image(2), id="b", boxes=[a_box("cent")]),
    ]
    classes = [*CLASSES, "stamp"]
    old, new = filers.start(), filers.start(classes=classes)
    file(new, bodies, 0, 4)
    late = begin(old, bodies, 0, 4)
    with pytest.raises(OvertakenError):
        old.file(late)
    labels = filers.root / "seed/labels/a-000000000002.txt"
    assert labels.read_text().startswith("0 0.25")
    with pytest.raises(InvalidError, match="classes: labels were filed with coin, note, stamp"):
        old.recover()
    assert labels.read_text().startswith("2 0.5")
    reasons = {path.name: path.read_text() for path in (filers.root / "rejected").glob("*.json")}
    assert list(reasons) == ["000000000003.json"]
    assert "the route has coin, note, stamp" in reasons["000000000003.json"]


def test_the_index_knows_what_is_filed_before_the_end_moves(
    filers: Filers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for strays meanwhile would take what is new for one."""
    filer = filers.start()
    ends: list[int] = []
    put = Index.put

    def watched(self: Index, items: Iterable[Item], refused: Iterable[int] = ()) -> None:
        ends.append(filer.ledger.end)
        put(self, items, refused)

    monkeypatch.setattr(Index, "put", watched)
    file(filer, [a_message()], 0, 1)
    assert (ends, filer.ledger.end) == ([0], 1)
