from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sealyard.api.index import IndexInput, ListedChannel
from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.input import read_input

CHANNEL = ListedChannel(model="coins", channel="stable", version="1.0.0", manifest_sha256="a" * 64)
DOCUMENT = IndexInput(channels=[CHANNEL])
RAW = DOCUMENT.model_dump_json(by_alias=True).encode()


def mounted(folder: Path, *parts: bytes) -> Path:
    """As the kubelet does it: links into a folder that is replaced as a whole."""
    data = folder / "..data"
    data.mkdir()
    for index, part in enumerate(parts):
        (data / f"{index:04}").write_bytes(part)
        (folder / f"{index:04}").symlink_to(data / f"{index:04}")
    return folder


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_parts_are_joined_in_order(tmp_path: Path, size: int) -> None:
    parts = [RAW[at : at + size] for at in range(0, len(RAW), size)]
    sha256 = hashlib.sha256(RAW).hexdigest()
    assert read_input(mounted(tmp_path, *parts), sha256, IndexInput) == DOCUMENT


def test_nothing_is_mounted(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is empty; the operator mounts"):
        read_input(tmp_path, "0" * 64, IndexInput)


def test_a_part_is_not_this_job_s(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(RAW).hexdigest()
    with pytest.raises(IntegrityError, match=f"2 parts have SHA-256 .*, the task says {sha256}"):
        read_input(mounted(tmp_path, RAW, b" "), sha256, IndexInput)


def test_it_is_another_document(tmp_path: Path) -> None:
    raw = b'{"channels":[{"model":"coins"}]}'
    with pytest.raises(InvalidError, match=r"channels\.0\.channel: Field required"):
        read_input(mounted(tmp_path, raw), hashlib.sha256(raw).hexdigest(), IndexInput)


def test_a_part_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "0000").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MissingError, match="cannot be read"):
        read_input(tmp_path, "0" * 64, IndexInput)
