from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sealyard.delivery.kept import unnamed_file, write_at


@pytest.fixture(params=["unnamed", "named"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that can have files without a name, and one that says it cannot."""
    real = os.open

    def refusing(path: str, flags: int, *args: int, **more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *args, **more)

    if request.param == "named":
        monkeypatch.setattr(os, "open", refusing)
    return str(request.param)


@pytest.mark.parametrize("before", [None, b"an older and longer one"])
def test_a_file_is_there_when_it_is_whole(
    *, file_system: str, tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "model.onnx"
    if before is not None:
        path.write_bytes(before)
        path.chmod(0o644)
    with unnamed_file(path) as descriptor:
        write_at(descriptor, 3, memoryview(b"def"))
        write_at(descriptor, 0, b"abc")
        assert (path.read_bytes() if path.exists() else None) == before
        others = [each for each in tmp_path.iterdir() if each != path]
        assert len(others) == (1 if file_system == "named" else 0)
    assert path.read_bytes() == b"abcdef"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_there_if_it_does_not_come_to_an_end(file_system: str, tmp_path: Path) -> None:
    def fill() -> None:
        with unnamed_file(tmp_path / "model") as descriptor:
            write_at(descriptor, 0, b"abc")
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_stays(file_system: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(IsADirectoryError), unnamed_file(tmp_path / "model") as descriptor:
        write_at(descriptor, 0, b"abc")
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


@pytest.mark.parametrize("before", [True, False])
def test_a_killed_process_leaves_nothing(tmp_path: Path, before: bool) -> None:
    path = tmp_path / "model.onnx"
    if before:
        path.write_bytes(b"before")
    program = """
        import os, signal, sys
        from pathlib import Path
        from sealyard.delivery.kept import unnamed_file, write_at

        with unnamed_file(Path(sys.argv[1])) as descriptor:
            write_at(descriptor, 0, b"a plaintext")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)], check=False, timeout=60
    )
    assert ended.returncode == -9
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([b"before"] if before else [])
