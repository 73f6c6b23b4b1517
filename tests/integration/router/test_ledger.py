"""The journal in a folder: read again from any moment at which its writer may have died."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.annotations.message import Annotation
from sealyard.errors import IntegrityError, InvalidError
from sealyard_router import checkpoints
from sealyard_router.delivery import Delivery
from sealyard_router.filer import Filer, Filing
from sealyard_router.ledger import Ledger, OvertakenError
from sealyard_router.verdict import Standing
from support import filers
from support.annotation_store import assert_each_filed_once, files_of, strays
from support.filers import CLASSES, Filers
from support.filing import a_message, an_image

BODIES = [
    a_message(an_image(1), id="a"),
    a_message(an_image(2), id="b", role="Operator"),
    a_message(an_image(1), attached=False, id="a", revision=2, operation="validated"),
    b"poison",
    a_message(id="b", operation="deleted", revision=2),
    a_message(an_image(3), id="c"),
]
Router = Callable[..., Filer]


@pytest.fixture
def router(tmp_path: Path) -> Router:
    """Makes routers on one folder; each has read the journal."""
    return Filers(tmp_path).start


def begin(filer: Filer, first: int, last: int) -> Filing:
    """Begin to write some of the messages as one batch."""
    return filers.begin(filer, BODIES, first, last)


def file(filer: Filer, first: int, last: int) -> None:
    """File some of the messages as one batch."""
    filer.file(begin(filer, first, last))


def assert_whole(root: Path) -> None:
    assert_each_filed_once(files_of(root), dict(enumerate(BODIES)), CLASSES)


@pytest.mark.parametrize("cuts", [(0, 6), (0, 1, 6), (0, 1, 2, 3, 4, 5, 6)])
def test_however_messages_are_batched_the_folders_are_the_same(
    router: Router, tmp_path: Path, cuts: tuple[int, ...]
) -> None:
    filer = router()
    for first, last in itertools.pairwise(cuts):
        file(filer, first, last)
    assert_whole(tmp_path / "route")
    withdrawn = list((tmp_path / "route/withdrawn/images").iterdir())
    assert [path.read_bytes() for path in withdrawn] == [an_image(2)]


@pytest.mark.parametrize("checkpoint_at", [None, 2, 4, 6])
def test_a_router_that_begins_knows_what_the_last_one_knew(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_at: int | None
) -> None:
    monkeypatch.setattr(checkpoints, "FEWEST_BYTES", 1)
    first = router()
    for number in range(len(BODIES)):
        file(first, number, number + 1)
        write = first.checkpoint()
        if number + 1 == checkpoint_at and write is not None:
            write()
    second = router()
    for name in ("place", "rejected", "unproven", "lost"):
        assert getattr(first.ledger, name) == getattr(second.ledger, name)
    assert [first.index.get(name) for name in "abc"] == [second.index.get(name) for name in "abc"]
    assert first.index.counts == second.index.counts
    assert len(list((tmp_path / "route").glob("checkpoints/*"))) == (checkpoint_at is not None)


def checkpointed(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six entries, with a checkpoint after the second and the fourth."""
    monkeypatch.setattr(checkpoints, "FEWEST_BYTES", 1)
    filer = router()
    for number in range(len(BODIES)):
        file(filer, number, number + 1)
        if number in {1, 3} and (write := filer.checkpoint()) is not None:
            write()


def test_a_router_begins_with_a_checkpoint_that_the_journal_names(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpointed(router, monkeypatch)
    root = tmp_path / "route"
    expected = [router().index.get(name) for name in "abc"]
    second = root / "checkpoints/000000000003-000000000004.jsonl"
    forged = root / "checkpoints/000000000005-000000000006.jsonl"
    forged.write_bytes(second.read_bytes().replace(b'"validated"', b'"seed"'))
    for entry in range(3):
        (root / f"journal/{entry:012}.jsonl").rename(root / f"{entry}")
    assert [router().index.get(name) for name in "abc"] == expected
    second.unlink()
    # From the last entry of a checkpoint on the journal is needed: it says until when it goes.
    for entry in (1, 2):
        (root / f"{entry}").rename(root / f"journal/{entry:012}.jsonl")
    assert [router().index.get(name) for name in "abc"] == expected


@pytest.mark.parametrize(
    ("old", "new"), [(b'"revision":2', b'"revision":3'), (b'"id":"b"', b'"id":"x"'), (b"\n", b"")]
)
def test_a_checkpoint_that_was_changed_is_refused(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes
) -> None:
    checkpointed(router, monkeypatch)
    path = tmp_path / "route/checkpoints/000000000003-000000000004.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(old, new))
    assert path.read_bytes() != content
    with pytest.raises(IntegrityError, match=rf"{path.name} .* delete it"):
        router()


def test_who_is_overtaken_goes_on_behind_the_other_and_leaves_nothing(
    router: Router, tmp_path: Path
) -> None:
    slow, fast = router(), router()
    file(fast, 0, 4)
    with pytest.raises(OvertakenError):
        file(slow, 0, 3)
    slow.recover()
    assert slow.ledger.end == 4
    file(slow, 4, 6)
    # It decided on what it knew; the other had moved what it would copy.
    with pytest.raises(OvertakenError):
        file(fast, 4, 6)
    fast.recover()
    assert fast.ledger.end == 6
    assert_whole(tmp_path / "route")


def test_a_batch_is_written_before_the_one_ahead_of_it_is_filed(
    router: Router, tmp_path: Path
) -> None:
    root = tmp_path / "route"
    filer = router()
    batches = [begin(filer, first, last) for first, last in [(0, 2), (2, 4), (4, 6)]]
    for batch in batches:
        batch.upload.finish()
    assert (root / "seed/images/c-000000000005.jpg").exists()
    assert not (root / "journal").exists()
    for batch in batches:
        filer.file(batch)
    assert_whole(root)


def test_what_was_written_too_far_ahead_is_deleted_once_it_is_nobodys(
    router: Router, tmp_path: Path
) -> None:
    root = tmp_path / "route"
    favoured = {"c"}

    def favour(annotation: Annotation, _: Delivery) -> Standing:
        return Standing("Validator" if annotation.id in favoured else annotation.role)

    slow, fast = router(judge=favour), router()
    batches = [begin(slow, 0, 2), begin(slow, 2, 6)]
    file(fast, 0, 3)
    with pytest.raises(OvertakenError):
        slow.file(batches[0])
    slow.recover()
    # Another router may have written it, and be about to make its entry.
    assert (root / "validated/images/c-000000000005.jpg").exists()
    favoured.clear()
    file(slow, 3, 6)
    assert_whole(root)


def test_of_two_that_write_the_same_both_have_filed_it(router: Router, tmp_path: Path) -> None:
    one, other = router(), router()
    file(one, 0, 6)
    file(other, 0, 6)
    assert_whole(tmp_path / "route")


def test_a_router_that_begins_finishes_what_the_last_one_left(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "route"
    dying = router()
    file(dying, 0, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "finish", lambda _: None)
        file(dying, 2, 6)
    assert strays(files_of(root), CLASSES)
    router()
    assert_whole(root)


def test_what_no_entry_has_is_swept_and_what_an_entry_may_yet_have_is_not(
    router: Router, tmp_path: Path
) -> None:
    filer = router()
    file(filer, 0, 6)
    root = tmp_path / "route"
    names = ("a-000000000003.jpg", "d-000000000006.jpg", "x.jpg")
    stray, coming, foreign = (root / f"seed/images/{name}" for name in names)
    for path in (stray, coming, foreign):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    router().sweep()
    assert [path.exists() for path in (stray, coming, foreign)] == [False, True, True]


def cut(root: Path) -> None:
    entry = root / "journal/000000000001.jsonl"
    entry.write_bytes(entry.read_bytes()[:-1])


def remove(root: Path) -> None:
    (root / "journal/000000000001.jsonl").unlink()


def change(root: Path) -> None:
    entry = root / "journal/000000000001.jsonl"
    entry.write_bytes(entry.read_bytes().replace(b"000Z", b"001Z"))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, "journal/000000000001.jsonl does not end with a whole line"),
        (remove, "journal/000000000001.jsonl is not there, and journal/000000000002.jsonl is"),
        (change, "journal/000000000002.jsonl does not follow the entry before it"),
    ],
)
def test_a_journal_that_is_not_whole_is_refused(
    router: Router, tmp_path: Path, harm: Callable[[Path], None], reason: str
) -> None:
    filer = router()
    for first, last in [(0, 3), (3, 4), (4, 6)]:
        file(filer, first, last)
    harm(tmp_path / "route")
    with pytest.raises(IntegrityError, match=reason):
        router()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"route": "default/others"}, "of the route default/trays, and this is default/others"),
        ({"stream": "others"}, "of the stream trays, and this is others"),
        ({"percent": 30}, "of validationPercent 20, and this is 30"),
        ({"classes": ["note", "coin"]}, "classes: labels were filed with coin, note"),
        ({"classes": ["coin"]}, "classes: labels were filed with coin, note"),
    ],
)
def test_a_journal_of_something_else_is_refused(
    router: Router, changes: dict[str, object], reason: str
) -> None:
    file(router(), 0, 6)
    with pytest.raises(InvalidError, match=reason):
        router(**changes)


def test_a_picture_that_somebody_deleted_is_named(router: Router, tmp_path: Path) -> None:
    filer = router()
    file(filer, 0, 2)
    (tmp_path / "route/seed/images/a-000000000000.jpg").unlink()
    with pytest.raises(IntegrityError, match=r"no file .*a-000000000000.jpg, .*bring it back"):
        file(filer, 2, 6)
