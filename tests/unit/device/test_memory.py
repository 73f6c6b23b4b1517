"""A model in memory that no folder names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealyard.device.memory import MemoryFile


def test_it_is_read_by_a_path_and_changed_by_nobody() -> None:
    with MemoryFile("coins") as memory:
        memory.write_at(3, b"def")
        memory.write_at(0, b"abc")
        memory.freeze()
        assert Path(memory.path).read_bytes() == memory.read() == b"abcdef"
        assert memory.size == 6
        with pytest.raises(PermissionError):
            memory.write_at(0, b"x")
        with pytest.raises(PermissionError):
            os.truncate(memory.fileno(), 0)


def test_it_is_gone_when_it_is_closed() -> None:
    memory = MemoryFile("coins")
    path = memory.path
    memory.close()
    memory.close()
    assert not Path(path).exists()
