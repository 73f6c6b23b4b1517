"""The JSON Schema of a message's line, for tools in other languages: `docs/annotation.schema.json`.

`python -m sealyard.annotations.message_schema` prints it; `make generate` keeps it in docs/.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from sealyard.annotations.message import VERSION, Annotation
from sealyard.api.json_schema import without_noise

_DESCRIPTION: Final = (
    "Generated from sealyard.annotations.message. It cannot say that a box must lie in the picture "
    "as a whole, that annotatedAt must be a day of the calendar, that no key stands twice in an "
    "object, and that attached bytes must have the picture's size and digest: these are checked, "
    "too."
)


def schema() -> dict[str, Any]:
    """The schema, in the dialect 2020-12."""
    written: dict[str, Any] = without_noise(Annotation.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{VERSION}/annotation.schema.json",
        "title": "The line of a Sealyard annotation",
        **written,
        # A reader guesses no version.
        "required": ["version", *written["required"]],
        "if": {"properties": {"operation": {"const": "deleted"}}, "required": ["operation"]},
        "else": {
            "properties": {"picture": {"type": "object"}},
            "required": ["picture", "boxes"],
        },
        "description": _DESCRIPTION,
    }


def encoded() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(encoded())
