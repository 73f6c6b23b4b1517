"""An exporter that another one has superseded says of nothing that it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sealyard.api.answers import ExportResult
from sealyard.api.model_release import VariantSpec
from sealyard.api.tasks import ExportTask, Owner
from sealyard.jobs.done import DONE_FILE
from sealyard.jobs.lock import Superseded, WorkspaceLock
from sealyard.jobs.mounts import Mounts
from sealyard_exporter import run as program

TASK = ExportTask(
    owner=Owner(namespace="default", name="coins-1", uid="release-1"),
    attempt=1,
    variant=VariantSpec(name="edge", format="onnx", precision="fp32"),
    checkpoint_path="coins/best.pt",
    checkpoint_sha256="a" * 64,
    image_size=64,
    run_path="coins",
    release_path="coins-1",
    model="coins",
    version="1.0.0",
)


def test_one_that_has_exported_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "coins-1/exports/edge"

    def export(*_: Any) -> ExportResult:
        WorkspaceLock(folder, "pod-2").take()
        (folder / program.DATASET).mkdir()
        return ExportResult(
            variant="edge", path="coins-1/x", sha256="a" * 64, size_bytes=1, max_difference=0.0
        )

    for name in ("pinned_validation_set", "_fetch_checkpoint", "work_offline"):
        monkeypatch.setattr(program, name, lambda *_, **__: None)
    monkeypatch.setattr(program, "_export", export)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(Superseded, match="superseded by pod pod-2"):
        program.run(TASK, Mounts(workspace=tmp_path, scratch=tmp_path / "scratch"))
    assert not (folder / DONE_FILE).exists()
    assert (folder / program.DATASET).is_dir()
