"""A file comes out of a log as it went in, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.errors import IntegrityError
from sealyard.jobs.printed_file import (
    END,
    LINE_CHARACTERS,
    MAX_BYTES,
    MAX_COMPRESSED_BYTES,
    format_file,
    main,
    parse,
)

CONTENT = b"<html>" + os.urandom(20_000)


@pytest.mark.parametrize("content", [b"", b"a", CONTENT, b"0" * MAX_BYTES])
def test_a_file_comes_out_as_it_was(content: bytes) -> None:
    log = f"a warning before\n{format_file(content)}and one behind\n"
    assert parse(log.encode()) == content


def test_no_line_is_long() -> None:
    assert max(map(len, format_file(CONTENT).splitlines())) == LINE_CHARACTERS


LOG = format_file(CONTENT)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", "holds no whole file"),
        (LOG.replace(END, ""), "holds no whole file"),
        (LOG[: len(LOG) // 2], "holds no whole file"),
        (LOG.replace("\n", "\na warning amid\n", 2), "holds no whole file"),
        (LOG.replace(f"{DIGEST}-----\n", f"{DIGEST}-----\nA"), "cannot be read"),
        (LOG.replace(DIGEST, "a" * 64), "not what its first line says"),
    ],
)
def test_what_is_not_whole_is_refused(log: str, message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        parse(log.encode())


def test_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page").write_bytes(CONTENT)
    assert main([str(tmp_path / "page")]) == 0
    assert parse(capsys.readouterr().out.encode()) == CONTENT


def nothing(path: Path) -> None:
    """There is no file."""


def big(path: Path) -> None:
    path.write_bytes(b"0" * (MAX_BYTES + 1))


def random(path: Path) -> None:
    path.write_bytes(os.urandom(MAX_COMPRESSED_BYTES))


@pytest.mark.parametrize(
    ("prepare", "code", "message"),
    [
        (nothing, 66, "cannot be read"),
        (Path.mkdir, 65, "a regular file is wanted"),
        (big, 65, "has more than"),
        (random, 65, "cannot be brought out through a log"),
    ],
)
def test_what_cannot_be_printed_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], object],
    code: int,
    message: str,
) -> None:
    prepare(tmp_path / "page")
    assert main([str(tmp_path / "page")]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
