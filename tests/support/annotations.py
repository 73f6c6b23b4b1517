"""Annotations as a tool would make them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sealyard.annotations.message import VERSION, Annotation

PICTURE = b"\xff\xd8 a picture \xff\xd9"


def a_picture(content: bytes = PICTURE, **fields: Any) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "sizeBytes": len(content),
        "mediaType": "image/jpeg",
        **fields,
    }


def a_box(name: str = "coin", **fields: Any) -> dict[str, Any]:
    return {"class": name, "x": 0.5, "y": 0.5, "width": 0.25, "height": 0.5, **fields}


def a_line(**fields: Any) -> dict[str, Any]:
    """A line's document; a field that is None is left out."""
    document = {
        "version": VERSION,
        "id": "tray-1",
        "revision": 1,
        "operation": "created",
        "picture": a_picture(),
        "boxes": [a_box()],
        "annotator": "ada@example.org",
        "role": "Operator",
        "annotatedAt": "2026-11-26T08:00:00Z",
        **fields,
    }
    return {name: value for name, value in document.items() if value is not None}


def an_annotation(**fields: Any) -> Annotation:
    return Annotation.from_wire(a_line(**fields))


def a_body(line: object = None, attached: bytes = b"", **fields: Any) -> bytes:
    """A message, right or wrong."""
    return json.dumps(a_line(**fields) if line is None else line).encode() + b"\n" + attached
