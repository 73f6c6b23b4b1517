"""A folder of a volume as a store: what an entry tells of is on the disk before it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard_router import volume
from sealyard_router.volume import Volume


def test_a_file_that_is_written_while_something_is_created_is_flushed_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(volume, "sync_folder", flushed.append)
    store = Volume(tmp_path, "the claim")

    def pieces() -> Iterator[bytes]:
        store.create("journal/0.jsonl", b"an entry")
        yield b"a picture"

    store.put_pieces("seed/images/a.jpg", pieces())
    flushed.clear()
    store.create("journal/1.jsonl", b"an entry")
    assert tmp_path / "seed/images" in flushed
