"""Each line of the threat model names the test that shows it, or says that none does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs/threat-model.md"
LINES = [
    line
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| who |")
]
TESTS = {
    name
    for path in (REPOSITORY / "tests").rglob("test_*.py")
    for name in re.findall(
        r"^ *(?:async def|def|class) ([Tt]est\w*)", path.read_text(), re.MULTILINE
    )
}


@pytest.mark.parametrize("line", LINES, ids=[line[2:40] for line in LINES])
def test_each_line_names_a_test_that_exists(line: str) -> None:
    named = set(re.findall(r"`([Tt]est\w+)(?:\[[^`]*\])?`", line))
    assert named or "no test" in line, "no test is named, and none is said to be missing"
    assert named <= TESTS
    for path in re.findall(r"\btests/[\w/.]+\.py", line):
        assert (REPOSITORY / path).is_file()
