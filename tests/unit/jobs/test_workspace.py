from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.errors import IntegrityError, InvalidError, MissingError
from sealyard.jobs.workspace import (
    below,
    copy_atomic,
    hash_file,
    link_file,
    make_folder,
    read_record,
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


def test_a_second_name_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"weights")
    link_file(tmp_path / "source", tmp_path / "second")
    assert (tmp_path / "second").samefile(tmp_path / "source")


def test_on_another_volume_it_is_a_copy(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"weights")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        link_file(tmp_path / "source", Path(other, "second"))
        assert Path(other, "second").read_bytes() == b"weights"


def link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"x")
    path.symlink_to("elsewhere")


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, link, bind])
@pytest.mark.parametrize("read", [read_record, hash_file, lambda path: copy_atomic(path, path)])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], object], read: Callable[[Path], object]
) -> None:
    make(tmp_path / "best.pt")
    with pytest.raises(IntegrityError, match=r"best\.pt is a link, a pipe, a device or a folder"):
        read(tmp_path / "best.pt")


def test_a_device_is_refused() -> None:
    with pytest.raises(IntegrityError, match="/dev/zero is a link, a pipe, a device"):
        read_record(Path("/dev/zero"))


def test_a_record_that_is_too_long_comes_cut_off(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_bytes(b"0123456789")
    assert read_record(tmp_path / "LOCK", 4) == b"0123"
    assert read_record(tmp_path / "LOCK") == b"0123456789"
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "DONE.json")


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
