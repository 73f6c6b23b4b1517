"""Messages and what is decided on them, for tests of the router."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from sealyard.annotations.items import Item, follow
from sealyard_router.delivery import Delivery
from sealyard_router.reading import Message, read
from sealyard_router.verdict import (
    Case,
    Decision,
    PictureFolder,
    Rule,
    Standing,
    Wanted,
    decide,
)
from support.annotations import a_body, a_picture

RULE = Rule(
    classes=("coin", "note"),
    validated=frozenset({"Validator", "Admin"}),
    max_picture_bytes=1 << 20,
    pictures=PictureFolder("pictures", "trays/"),
)
NOBODY = Standing(None, "it has no token")


def an_image(seed: int = 0, *, kind: str = "JPEG", side: int = 8) -> bytes:
    """A small picture; each seed has other bytes."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (seed % 256, seed // 256 % 256, 7)).save(out, kind)
    return out.getvalue()


IMAGE = an_image()


def a_message(content: bytes = IMAGE, *, attached: bool = True, **fields: Any) -> bytes:
    """A message about a picture, which it brings or not."""
    picture = None if fields.get("operation") == "deleted" else a_picture(content)
    said = {"picture": picture, **fields}
    return a_body(attached=content if attached and said["picture"] else b"", **said)


def a_case(
    body: bytes,
    standing: Standing | str | None = "Validator",
    item: Item | None = None,
    *,
    offset: int = 7,
    rule: Rule = RULE,
) -> Case:
    """A message and whose it is: a role that is proven, or nobody's."""
    message = read(body)
    assert isinstance(message, Message), message
    who = Standing(standing) if isinstance(standing, str) else standing or NOBODY
    return Case(Delivery(offset, 1_764_000_000_123, body), message, who, item, rule)


def decided(case: Case) -> Decision:
    decision = decide(case)
    assert not isinstance(decision, Wanted)
    return decision


def an_item(role: str | None = "Validator", *, offset: int = 3, **fields: Any) -> Item:
    """An item that somebody made, with its picture unless `attached` is False."""
    decision = decided(a_case(a_message(**fields), role, offset=offset))
    item = follow(None, decision.record)
    assert item is not None
    return item
