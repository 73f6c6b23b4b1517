"""What a message does to its item: the whole table."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest

from sealyard.annotations.items import Item
from sealyard.annotations.journal import Identity
from sealyard.annotations.message import MAX_REVISION
from sealyard_router.delivery import Delivery
from sealyard_router.reading import Unreadable, read
from sealyard_router.verdict import (
    LAST_REVISION,
    Fetched,
    Rule,
    Standing,
    Wanted,
    decide,
    unreadable,
)
from support.annotations import a_box, a_picture
from support.filing import (
    IMAGE,
    NOBODY,
    RULE,
    a_case,
    a_message,
    an_image,
    an_item,
    decided,
)


@pytest.mark.parametrize("identity", ["jwt", "brokerUser", "Trusted"])
def test_by_which_rule_a_role_counted_is_kept(identity: Identity) -> None:
    decision = decided(a_case(a_message(), Standing("Validator", identity=identity)))
    assert decision.record.identity == identity
    assert decision.after is not None
    assert decision.after.identity == identity


@pytest.mark.parametrize("operation", ["created", "edited", "validated"])
@pytest.mark.parametrize(
    ("role", "folder"),
    [
        ("Validator", "validated"),
        ("Admin", "validated"),
        ("Operator", "seed"),
        ("Visitor", "seed"),
        (None, "seed"),
    ],
)
@pytest.mark.parametrize("before", [None, "seed", "validated", "deleted"])
def test_who_made_it_decides_where_it_is_filed(
    operation: str, role: str | None, folder: str, before: str | None
) -> None:
    item = {
        None: lambda: None,
        "seed": lambda: an_item("Operator"),
        "validated": lambda: an_item("Validator"),
        "deleted": lambda: an_item("Validator", operation="deleted"),
    }[before]()
    case = a_case(a_message(operation=operation, revision=2), role, item)
    decision = decided(case)
    if item is not None and role is None:
        assert decision.record.verdict == "rejected"
        assert decision.record.reason == (
            "the role is not proven (it has no token), and that of who last changed the item was"
        )
        assert decision.after is item
        return
    assert decision.record.verdict == folder
    assert decision.record.role == role
    assert decision.record.reason == (None if role else "it has no token")
    assert decision.after is not None
    assert decision.after.is_filed
    assert decision.after.keys == (
        f"{folder}/images/tray-1-000000000007.jpg",
        f"{folder}/labels/tray-1-000000000007.txt",
    )


@pytest.mark.parametrize(
    ("role", "made_by", "verdict"),
    [
        ("Validator", "Validator", "deleted"),
        ("Operator", "Validator", "deleted"),
        ("Operator", None, "deleted"),
        (None, None, "deleted"),
        (None, "Validator", "rejected"),
        (None, "Operator", "rejected"),
    ],
)
def test_deleting_takes_an_item_out(role: str | None, made_by: str | None, verdict: str) -> None:
    item = an_item(made_by)
    decision = decided(a_case(a_message(operation="deleted", revision=2), role, item))
    assert decision.record.verdict == verdict
    assert decision.after is not None
    assert decision.after.keys == (() if verdict == "deleted" else item.keys)


REVISIONS = {
    "a lower one comes late": ({"revision": 4}, "superseded", None),
    "the same comes again": ({"revision": 5}, "repeated", None),
    "the same with other content": (
        {"revision": 5, "boxes": [a_box(x=0.25)]},
        "rejected",
        "revision: 5 came before with other content, at offset 3; use a higher one",
    ),
    "the same with another picture": (
        {"revision": 5, "content": an_image(9)},
        "rejected",
        "revision: 5 came before with other content, at offset 3; use a higher one",
    ),
    "a higher one": ({"revision": 6}, "validated", None),
    "of another group": (
        {"revision": 6, "group": "film-2"},
        "rejected",
        "group: is film-2, and was None before",
    ),
}


@pytest.mark.parametrize(("fields", "verdict", "reason"), REVISIONS.values(), ids=REVISIONS)
def test_the_highest_revision_counts(
    fields: dict[str, Any], verdict: str, reason: str | None
) -> None:
    decision = decided(a_case(a_message(**fields), "Validator", an_item(revision=5)))
    assert (decision.record.verdict, decision.record.reason) == (verdict, reason)


@pytest.mark.parametrize("group", [None, "film-1"])
@pytest.mark.parametrize("revision", [1, 900])
def test_whose_role_is_proven_outranks_any_revision_of_nobody(
    revision: int, group: str | None
) -> None:
    forged = an_item(None, revision=revision, group="forged")
    proven = decided(a_case(a_message(revision=2, group=group), "Validator", forged))
    assert proven.record.verdict == "validated"
    assert proven.after is not None
    assert (proven.after.revision, proven.after.group) == (2, group)


@pytest.mark.parametrize(
    ("role", "revision", "verdict"),
    [
        ("Operator", LAST_REVISION, "seed"),
        ("Operator", LAST_REVISION + 1, "rejected"),
        ("Operator", MAX_REVISION, "rejected"),
        (None, LAST_REVISION + 1, "rejected"),
        ("Validator", LAST_REVISION + 1, "validated"),
        ("Admin", MAX_REVISION, "validated"),
    ],
)
@pytest.mark.parametrize("item", [None, an_item("Operator")], ids=["new", "there"])
def test_the_last_revisions_are_kept_for_who_validates(
    role: str | None, revision: int, verdict: str, item: Item | None
) -> None:
    if role is None and item is not None:
        item = an_item(None)
    record = decided(a_case(a_message(revision=revision), role, item)).record
    assert record.verdict == verdict
    if verdict == "rejected":
        assert record.reason == (
            f"revision: is {revision}, may be {LAST_REVISION}; higher ones are kept for those "
            "whose annotations are valid as they are"
        )


def test_no_operator_keeps_an_item_out_of_training_for_ever() -> None:
    taken = an_item("Operator", revision=LAST_REVISION)
    revision = taken.revision + 1
    back = decided(a_case(a_message(revision=revision, operation="validated"), "Validator", taken))
    assert back.record.verdict == "validated"
    again = decided(a_case(a_message(revision=revision + 1), "Operator", back.after))
    assert again.record.verdict == "rejected"
    assert again.after is back.after


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def messages() -> dict[str, tuple[bytes, str | None]]:
    """Changes of one item, each of another rank."""
    return {
        "nobody 1": (a_message(an_image(1), revision=1), None),
        "nobody 9": (a_message(an_image(2), revision=9), None),
        "operator 2": (a_message(an_image(3), revision=2, role=None), "Operator"),
        "validator 3": (a_message(an_image(4), revision=3, operation="validated"), "Validator"),
    }


@pytest.mark.parametrize("order", list(itertools.permutations(messages())), ids="-".join)
def test_an_item_ends_as_the_same_in_whatever_order_messages_come(order: tuple[str, ...]) -> None:
    item: Item | None = None
    for offset, name in enumerate([*order, *order]):
        body, role = messages()[name]
        item = decided(a_case(body, role, item, offset=offset)).after
    assert item is not None
    assert (item.revision, item.folder, item.role) == (3, "validated", "Validator")
    assert item.picture is not None
    assert item.picture.sha256 == sha256(an_image(4))


FAULTS: dict[str, tuple[dict[str, Any], Rule, str]] = {
    "unknown class": (
        {"boxes": [a_box(), a_box("cion")]},
        RULE,
        "boxes.1.class: is 'cion', the route has coin, note",
    ),
    "too large": (
        {},
        Rule(RULE.classes, RULE.validated, 100),
        f"picture.sizeBytes: is {len(IMAGE)}, may be 100",
    ),
    "too large, without its bytes": (
        {"picture": a_picture(sizeBytes=2 << 20), "attached": False},
        RULE,
        "picture.sizeBytes: is 2097152, may be 1048576",
    ),
    "another format": (
        {"content": an_image(kind="PNG")},
        RULE,
        "picture.mediaType: is image/jpeg, and the bytes are image/png",
    ),
    "no picture at all": (
        {"content": b"not a picture"},
        RULE,
        "picture.mediaType: is image/jpeg, and the bytes are no such picture",
    ),
    "too many pixels": (
        {
            "content": b"BM" + bytes(12) + (40).to_bytes(4, "little")
            + (30_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
        },
        RULE,
        "picture: has 30000 x 30000 pixels, may have 268435456 in all",
    ),
    "an address elsewhere": (
        {"picture": a_picture(IMAGE, uri="s3://others/trays/1.jpg"), "attached": False},
        RULE,
        "picture.uri: is s3://others/trays/1.jpg, must lie below s3://pictures/trays/",
    ),
    "an address that climbs out": (
        {"picture": a_picture(IMAGE, uri="s3://pictures/trays/../1.jpg"), "attached": False},
        RULE,
        "picture.uri: is s3://pictures/trays/../1.jpg, must lie below s3://pictures/trays/",
    ),
    "an address of two lines and a signature": (
        {"picture": a_picture(IMAGE, uri="s3://a\nb/c?sig=x"), "attached": False},
        RULE,
        "picture.uri: is s3://a\\nb/c, must lie below s3://pictures/trays/",
    ),
    "an address, and no store": (
        {"picture": a_picture(IMAGE, uri="s3://pictures/trays/1.jpg"), "attached": False},
        Rule(RULE.classes, RULE.validated, 1 << 20),
        "picture.uri: is given, and the route names no store for pictures",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "rule", "reason"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("item", [None, an_item(content=an_image(77))], ids=["new", "there"])
def test_what_is_wrong_is_refused_and_says_why(
    fields: dict[str, Any], rule: Rule, reason: str, item: Item | None
) -> None:
    if reason.startswith("picture: has"):
        picture = a_picture(fields["content"], mediaType="image/bmp")
        fields = {**fields, "picture": picture}
    decision = decided(a_case(a_message(revision=2, **fields), "Validator", item, rule=rule))
    assert (decision.record.verdict, decision.record.reason) == ("rejected", reason)
    assert decision.record.id == "tray-1"
    assert decision.after is item
    assert decision.content is None


@pytest.mark.parametrize(
    "body",
    [b"poison", b"", b"{}\n", a_message() + b"more"],
    ids=["no line", "nothing", "no fields", "more"],
)
def test_bytes_that_are_no_annotation_are_refused_without_an_id(body: bytes) -> None:
    message = read(body)
    assert isinstance(message, Unreadable)
    record = unreadable(Delivery(7, 1_764_000_000_123, body), message).record
    assert (record.verdict, record.id, record.reason) == ("rejected", None, message.reason)
    assert record.time == "2025-11-24T16:00:00.123Z"


class TestAPictureThatComesLater:
    waiting = an_item("Validator", attached=False, revision=5)

    def test_until_then_the_item_is_filed_nowhere(self) -> None:
        assert self.waiting.folder == "validated"
        assert self.waiting.keys == ()

    @pytest.mark.parametrize(
        ("fields", "verdict"),
        [
            ({"revision": 5}, "repeated"),
            ({"revision": 2}, "superseded"),
            ({"revision": 6}, "validated"),
        ],
    )
    def test_whatever_message_brings_it_completes_the_item(
        self, fields: dict[str, Any], verdict: str
    ) -> None:
        decision = decided(a_case(a_message(**fields), "Validator", self.waiting, offset=20))
        assert decision.record.verdict == verdict
        assert decision.content == IMAGE
        assert decision.after is not None
        # Named after the message that brought it, which no entry has yet.
        assert decision.after.keys[0] == "validated/images/tray-1-000000000020.jpg"

    def test_another_picture_does_not(self) -> None:
        decision = decided(a_case(a_message(an_image(8), revision=2), "Validator", self.waiting))
        assert decision.record.verdict == "superseded"
        assert decision.after is self.waiting
        assert decision.content is None

    def test_a_picture_that_is_known_need_not_come_again(self) -> None:
        item = an_item("Operator")
        case = a_case(a_message(attached=False, revision=2, operation="validated"), item=item)
        decision = decided(case)
        assert decision.content is None
        assert decision.after is not None
        assert decision.after.is_filed


class TestAPictureAtAnAddress:
    body = a_message(
        attached=False, revision=2, picture=a_picture(IMAGE, uri="s3://pictures/trays/a/1.jpg")
    )

    def test_it_is_wanted_where_it_would_be_filed(self) -> None:
        wanted = decide(a_case(self.body))
        assert isinstance(wanted, Wanted)
        assert (wanted.key, wanted.size_bytes) == ("trays/a/1.jpg", len(IMAGE))
        decision = wanted(Fetched(bytearray(IMAGE)))
        assert decision.record.verdict == "validated"
        assert decision.content == IMAGE

    @pytest.mark.parametrize(
        "item", [an_item(), an_item(revision=3)], ids=["it is known", "it comes too late"]
    )
    def test_it_is_not_wanted_where_it_changes_nothing(self, item: Item) -> None:
        assert not isinstance(decide(a_case(self.body, item=item)), Wanted)

    @pytest.mark.parametrize(
        ("fetched", "reason"),
        [
            (Fetched(None, "picture.uri: there is none"), "picture.uri: there is none"),
            (
                Fetched(bytearray(len(IMAGE))),
                f"picture.sha256: is {sha256(IMAGE)}, and the bytes that lie there have "
                + sha256(bytes(len(IMAGE))),
            ),
        ],
    )
    def test_what_is_not_there_is_refused(self, fetched: Fetched, reason: str) -> None:
        wanted = decide(a_case(self.body, NOBODY))
        assert isinstance(wanted, Wanted)
        assert wanted(fetched).record.reason == reason
