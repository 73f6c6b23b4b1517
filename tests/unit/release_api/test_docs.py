from __future__ import annotations

import re
from pathlib import Path

from sealyard_release_api.wire import STATUS_OF

PAGE = Path(__file__).parents[3] / "docs" / "release-api.md"


def test_the_page_lists_every_reason_with_its_status() -> None:
    rows = re.findall(r"^\| `([A-Za-z]+)` \| ([0-9]{3}) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(reason.value, str(status)) for reason, status in STATUS_OF.items()]
