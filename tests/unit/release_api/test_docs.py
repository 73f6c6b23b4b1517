from __future__ import annotations

import json
import re
from pathlib import Path

from sealyard_release_api.openapi import OPERATIONS, document
from sealyard_release_api.roles import ALLOWED, Action, Role
from sealyard_release_api.wire import STATUS_OF

PAGE = Path(__file__).parents[3] / "docs" / "release-api.md"


def test_the_page_lists_every_reason_with_its_status() -> None:
    rows = re.findall(r"^\| `([A-Za-z]+)` \| ([0-9]{3}) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(reason.value, str(status)) for reason, status in STATUS_OF.items()]


def test_the_page_lists_every_request_with_its_roles() -> None:
    # An annotator's may ask for nothing but a token.
    roles = [role for role in Role if ALLOWED[role]]
    rows = re.findall(
        r"^\| `([A-Z]+ /[^`]*)` \|" + r" (yes)? ?\|" * len(roles), PAGE.read_text(), re.MULTILINE
    )
    assert [(row[0], tuple(bool(cell) for cell in row[1:])) for row in rows] == [
        (
            f"{operation.method} {operation.path}",
            tuple(operation.action in ALLOWED[role] for role in roles),
        )
        for operation in OPERATIONS
    ]


def test_every_action_is_in_the_contract_once() -> None:
    assert sorted(op.action for op in OPERATIONS if op.action is not None) == sorted(Action)


def test_the_contract_resolves_all_its_references() -> None:
    described = document("0")
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(described)))
    assert named == set(described["components"]["schemas"])
