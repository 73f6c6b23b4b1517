from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.workspace import (
    below,
    copy_atomic,
    hash_file,
    make_folder,
    remove_temporaries,
    replacing,
    write_atomic,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def fail_half_way(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise RuntimeError("the disk is full")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError, match="the disk is full"):
        fail_half_way(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_copy_gives_the_digest_of_what_was_copied(tmp_path: Path) -> None:
    content = b"0123456789" * 300_000
    (tmp_path / "source").write_bytes(content)
    digest = copy_atomic(tmp_path / "source", tmp_path / "target")
    assert digest.sha256 == hashlib.sha256(content).hexdigest()
    assert digest.size_bytes == len(content)
    assert hash_file(tmp_path / "target") == digest


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".model.onnx.0123456789ab.part").write_bytes(b"half")
    (tmp_path / "model.onnx").write_bytes(b"whole")
    remove_temporaries(tmp_path)
    assert names(tmp_path) == ["model.onnx"]


def test_a_link_out_of_the_mount_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount/run").symlink_to(tmp_path)
    with pytest.raises(InvalidError, match=r"run/x leads out of .*; a path below it is wanted"):
        below(tmp_path / "mount", "run/x")


def test_a_link_within_the_mount_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mount/real").mkdir(parents=True)
    (tmp_path / "mount/run").symlink_to("real")
    assert below(tmp_path / "mount", "run/x") == tmp_path / "mount/real/x"
    assert below(tmp_path / "mount", None) == tmp_path / "mount"


def test_a_mount_that_takes_no_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "mount").write_text("a file")
    with pytest.raises(MissingError, match="takes no folder run"):
        make_folder(tmp_path / "mount" / "run", tmp_path / "mount")
