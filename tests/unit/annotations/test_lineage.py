"""The list of the annotations that a run was trained on."""

from __future__ import annotations

import pytest

from sealyard.annotations.lineage import (
    count_by_annotator,
    lineage_bytes,
    parse_lineage,
    used_annotations,
)
from sealyard.annotations.snapshot import divide
from sealyard.errors import IntegrityError
from support.filed_annotations import Filed, a_picture, a_record


def test_it_tells_of_each_item_by_id() -> None:
    storage = Filed()
    who = [
        ("ada", "Validator", "jwt"),
        ("bob", "Admin", "Trusted"),
        ("ada", "Validator", "jwt"),
        ("eve", None, None),
        ("ada", "Validator", "Trusted"),
    ]
    storage.file(
        *(
            a_record(
                number,
                f"item-{9 - number}",
                annotator=annotator,
                role=role,
                identity=identity,
                picture=storage.picture(a_picture(number)),
                has_bytes=True,
            )
            for number, (annotator, role, identity) in enumerate(who)
        )
    )
    used = used_annotations(divide(storage.fold.state.validated, 50))
    assert [one.id for one in used] == ["item-5", "item-6", "item-7", "item-8", "item-9"]
    assert (used[4].offset, used[4].revision, used[4].time) == (0, 1, "2026-11-26T09:00:00.000Z")
    assert {one.split for one in used} == {"train", "val"}
    assert list(parse_lineage(lineage_bytes(used))) == used
    assert count_by_annotator(used) == [
        ("ada", "Validator", "jwt", 2),
        ("ada", "Validator", "Trusted", 1),
        ("bob", "Admin", "Trusted", 1),
        ("eve", None, None, 1),
    ]


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"annotations\.jsonl:1 is no annotation"):
        list(parse_lineage(b"{}\n"))
