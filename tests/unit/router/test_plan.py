"""What a batch costs the store: only what items are at its end is written."""

from __future__ import annotations

import hashlib
import json

from sealyard.annotations.items import Item
from sealyard_router.delivery import Delivery
from sealyard_router.plan import plan
from sealyard_router.reading import Unreadable
from sealyard_router.verdict import Decision, unreadable
from support.annotations import a_box
from support.filing import IMAGE, a_case, a_message, an_image, an_item, decided

OTHER = an_image(5)
SEED = ("seed/images/tray-1-000000000003.jpg", "seed/labels/tray-1-000000000003.txt")
CLASSES = ("coin", "note")


def batch(item: Item | None, *messages: tuple[bytes, str | None]) -> list[Decision]:
    """Decisions on messages from offset 10 on, each on what the one before left."""
    decisions = []
    for offset, (body, role) in enumerate(messages, 10):
        decisions.append(decided(a_case(body, role, item, offset=offset)))
        item = decisions[-1].after
    return decisions


def withdrawn(content: bytes) -> str:
    return f"withdrawn/images/tray-1-{hashlib.sha256(content).hexdigest()[:16]}.jpg"


def test_a_new_item_is_a_picture_and_labels() -> None:
    boxes = [a_box(), a_box("note", x=0.25, width=0.125)]
    made = plan(batch(None, (a_message(boxes=boxes), "Validator")), CLASSES)
    assert made.writes == {
        "validated/images/tray-1-000000000010.jpg": IMAGE,
        "validated/labels/tray-1-000000000010.txt": (b"0 0.5 0.5 0.25 0.5\n1 0.25 0.5 0.125 0.5\n"),
    }
    assert (made.copies, made.obsolete) == ({}, ())


def test_a_move_copies_the_picture_and_then_deletes() -> None:
    body = a_message(attached=False, revision=2, operation="validated")
    made = plan(batch(an_item("Operator"), (body, "Validator")), CLASSES)
    assert made.copies == {"validated/images/tray-1-000000000010.jpg": SEED[0]}
    assert list(made.writes) == ["validated/labels/tray-1-000000000010.txt"]
    assert made.obsolete == SEED


def test_of_several_changes_in_a_batch_only_the_last_is_written() -> None:
    made = plan(
        batch(
            None,
            (a_message(), "Operator"),
            (a_message(attached=False, revision=2, boxes=[]), "Operator"),
            (a_message(attached=False, revision=3, operation="validated"), "Validator"),
        ),
        CLASSES,
    )
    assert set(made.writes) == {
        "validated/images/tray-1-000000000012.jpg",
        "validated/labels/tray-1-000000000012.txt",
    }
    assert (made.copies, made.obsolete) == ({}, ())


def test_what_is_deleted_is_withdrawn_first() -> None:
    made = plan(
        batch(an_item("Operator"), (a_message(operation="deleted", revision=2), "Validator")),
        CLASSES,
    )
    assert made.copies == {withdrawn(IMAGE): SEED[0]}
    assert (made.writes, made.obsolete) == ({}, SEED)


def test_a_picture_that_is_replaced_is_withdrawn_wherever_it_lay() -> None:
    third = an_image(6)
    made = plan(
        batch(
            an_item("Operator"),
            (a_message(OTHER, revision=2), "Operator"),
            (a_message(third, revision=3), "Operator"),
        ),
        CLASSES,
    )
    assert made.copies == {withdrawn(IMAGE): SEED[0]}
    assert made.writes[withdrawn(OTHER)] == OTHER
    assert made.writes["seed/images/tray-1-000000000011.jpg"] == third
    assert made.obsolete == SEED


def test_what_came_and_went_within_a_batch_is_kept() -> None:
    made = plan(
        batch(
            None,
            (a_message(), "Operator"),
            (a_message(operation="deleted", revision=2), "Operator"),
        ),
        CLASSES,
    )
    assert made.writes == {withdrawn(IMAGE): IMAGE}
    assert made.items["tray-1"].folder is None


def test_a_late_message_writes_what_it_completes() -> None:
    waiting = an_item("Validator", attached=False, revision=5)
    made = plan(batch(waiting, (a_message(revision=2, boxes=[]), "Validator")), CLASSES)
    assert made.writes == {
        "validated/images/tray-1-000000000010.jpg": IMAGE,
        "validated/labels/tray-1-000000000010.txt": b"0 0.5 0.5 0.25 0.5\n",
    }


def test_what_changes_nothing_costs_nothing() -> None:
    made = plan(batch(an_item(revision=5), (a_message(revision=4), "Validator")), CLASSES)
    assert (made.made, made.obsolete, made.items) == (frozenset(), (), {})


def test_what_is_refused_is_kept_without_what_proves_anything() -> None:
    token = "eyJhbGciOi.eyJzdWIiOiJh.c2lnbmF0dXJlLXRoYXQtcHJvdmVz"
    body = a_message(boxes=[a_box("cion")], proof={"jwt": token})
    poison = unreadable(Delivery(11, 0, b"poison"), Unreadable("it is poison"))
    made = plan([*batch(None, (body, "Validator")), poison], CLASSES)
    told = json.loads(made.writes["rejected/000000000010.json"])
    assert told["reason"] == "boxes.0.class: is 'cion', the route has coin, note"
    assert (told["id"], told["offset"], told["role"]) == ("tray-1", 10, "Validator")
    kept = bytes(made.writes["rejected/000000000010.message"])
    assert kept.endswith(IMAGE)
    assert b"c2lnbmF0dXJl" not in kept
    assert made.writes["rejected/000000000011.message"] == b"poison"
