from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.errors import MissingError
from sealyard_courier.tidy import tidy

RELEASE = "coins-1.0.0-0123456789"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    exports = tmp_path / "workspace" / RELEASE / "exports"
    (exports / "onnx-fp32").mkdir(parents=True)
    (exports / "onnx-fp32" / "model.onnx").write_bytes(b"x" * 1000)
    (exports / "onnx-fp32" / "DONE.json").write_bytes(b"{}")
    (exports / "other.onnx").write_bytes(b"x" * 10)
    return tmp_path / "workspace"


def test_only_the_exports_go(workspace: Path) -> None:
    keep = workspace / RELEASE / "publish.json"
    keep.write_text("{}")
    checkpoint = workspace / "run" / "best.pt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"weights")

    result = tidy(workspace, RELEASE)

    assert (result.files, result.bytes) == (3, 1012)
    assert sorted(p.name for p in workspace.rglob("*")) == [
        "best.pt",
        RELEASE,
        "publish.json",
        "run",
    ]


def test_again_deletes_nothing_more(workspace: Path) -> None:
    tidy(workspace, RELEASE)
    assert tidy(workspace, RELEASE).files == 0
    assert tidy(workspace, "never/there").files == 0


def test_a_link_goes_and_what_it_points_at_stays(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (workspace / RELEASE / "exports" / "folder").symlink_to(outside)
    (workspace / RELEASE / "exports" / "file").symlink_to(outside / "precious")

    tidy(workspace, RELEASE)

    assert (outside / "precious").read_bytes() == b"x"
    assert not (workspace / RELEASE / "exports").exists()


def test_exports_that_are_a_link_are_not_followed(workspace: Path, tmp_path: Path) -> None:
    real = workspace / RELEASE / "exports"
    moved = tmp_path / "elsewhere"
    real.rename(moved)
    real.symlink_to(moved)

    assert tidy(workspace, RELEASE).files == 1
    assert not real.is_symlink()
    assert (moved / "other.onnx").exists()


def test_a_release_folder_that_is_a_link_is_refused(workspace: Path) -> None:
    (workspace / "link").symlink_to(workspace / RELEASE)

    with pytest.raises(MissingError, match="no link"):
        tidy(workspace, "link")
    assert (workspace / RELEASE / "exports" / "other.onnx").exists()


def test_a_missing_workspace_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        tidy(tmp_path / "nowhere", RELEASE)
