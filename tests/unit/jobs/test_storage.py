"""A full or read-only volume is named, wherever the system said so."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sealyard.jobs.mounts import Mounts
from sealyard.jobs.storage import storage_fault


def system(number: int, path: Path | None = None) -> OSError:
    return OSError(number, os.strerror(number), *([str(path)] if path else []))


def wrapped(error: OSError) -> RuntimeError:
    try:
        try:
            raise error
        except OSError as cause:
            raise RuntimeError("a library's own words") from cause
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("folder", ["workspace", "scratch"])
def test_a_full_volume(tmp_path: Path, number: int, folder: str) -> None:
    mounts = Mounts(workspace=tmp_path / "workspace", scratch=tmp_path / "scratch")
    said = "the workspace" if folder == "workspace" else "the scratch volume"
    error = system(number, tmp_path / folder / "some" / "file")
    for given in (error, wrapped(error)):
        fault = storage_fault(given, mounts)
        assert fault is not None
        assert fault.exit_code == 66
        assert str(fault).startswith(f"{said} is full (")


def test_a_read_only_volume(tmp_path: Path) -> None:
    mounts = Mounts(workspace=tmp_path, scratch=tmp_path / "scratch")
    fault = storage_fault(system(errno.EROFS, tmp_path / "LOCK"), mounts)
    assert str(fault).startswith("the workspace is read-only (Read-only file system); let it")


def test_a_write_that_names_no_file(tmp_path: Path) -> None:
    mounts = Mounts(workspace=tmp_path, scratch=tmp_path / "not there")
    assert "the workspace is full" in str(storage_fault(system(errno.ENOSPC), mounts))


def handled(error: OSError) -> ValueError:
    try:
        try:
            raise error
        except OSError:
            raise ValueError("something else, while that was handled")  # noqa: B904 - on purpose
    except ValueError as other:
        return other


@pytest.mark.parametrize(
    "error",
    [
        system(errno.EIO),
        system(errno.ENOENT),
        system(errno.EROFS),
        system(errno.EROFS, Path("/usr/lib/python/cache")),
        system(errno.ENOSPC, Path("/var/cache/of-the-image")),
        handled(system(errno.ENOSPC, Path("/workspace/file"))),
        ValueError("other"),
        RuntimeError(),
    ],
)
def test_other_faults_are_nobodys_to_mend(error: Exception) -> None:
    assert storage_fault(error, Mounts()) is None
