"""A model in memory that no folder names."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from sealyard.device.memory import MemoryFile
from sealyard.errors import MissingError


def test_it_is_read_by_a_path_and_changed_by_nobody() -> None:
    with MemoryFile("coins") as memory:
        memory.write_at(3, b"def")
        memory.write_at(0, b"abc")
        memory.freeze()
        assert Path(memory.path).read_bytes() == memory.read() == b"abcdef"
        assert memory.size == 6
        with pytest.raises(PermissionError):
            os.pwrite(memory.fileno(), b"x", 0)
        with pytest.raises(PermissionError):
            os.truncate(memory.fileno(), 0)


def test_it_is_gone_when_it_is_closed() -> None:
    memory = MemoryFile("coins")
    path = memory.path
    memory.close()
    memory.close()
    assert not Path(path).exists()


def test_more_than_one_read_gives_is_read_whole() -> None:
    size = (2 << 30) + 1
    with MemoryFile("coins") as memory:
        memory.write_at(size - 1, b"x")  # the rest is a hole, which takes no memory
        assert len(memory.read()) == size


def test_no_room_is_said_in_one_line() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MemoryFile("coins") as memory:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(MissingError, match="coins: cannot be held in memory") as caught:
                memory.write_at(4096, b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in str(caught.value)


def test_no_descriptor_is_said_in_one_line() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(MissingError, match="coins: cannot be held in memory"):
            MemoryFile("coins")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
