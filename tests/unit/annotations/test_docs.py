"""The page's message is one, and has every field. Its code runs in test_publisher.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sealyard.annotations.message import Annotation, parse

PAGE = Path(__file__).parents[3] / "docs/annotations.md"
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_the_message_is_read() -> None:
    annotation, _ = parse(BLOCKS["json"].encode())
    assert annotation.id == "tray-7"
    assert BLOCKS["json"] == json.dumps(annotation.to_wire(), separators=(",", ":")) + "\n"


def test_every_field_is_on_the_page() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    fields = {field.alias for field in Annotation.model_fields.values()}
    assert set(named) == fields - {"version"}
