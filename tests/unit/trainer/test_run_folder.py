from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from sealyard.api.answers import Answer, TrainResult
from sealyard.api.dataset import DatasetStatus
from sealyard.api.training_run import Artifact, Metrics
from sealyard.jobs.done import write_done
from sealyard_trainer.run_folder import BEST, REPORT, RunFolder

CONTENT = b"weights"
RESULT = TrainResult(
    epochs=3,
    metrics=Metrics(map50=0.9),
    dataset=DatasetStatus(digest="a" * 64, images=4),
    artifacts=[
        Artifact(
            name=BEST,
            path=f"team/run/{BEST}",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            size_bytes=len(CONTENT),
        )
    ],
).to_wire()


WITH_REPORT = RESULT | {
    "artifacts": [
        *RESULT["artifacts"],
        {"name": REPORT, "path": f"team/run/{REPORT}", "sha256": "0" * 64, "sizeBytes": 1},
    ]
}


def finished(path: Path, result: dict[str, Any] | None) -> bool:
    answer = Answer(message="trained", result=result)
    write_done(path, owner_uid="uid-1", inputs={}, answer=answer)
    return RunFolder(path, "team/run").finished(None) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / BEST).write_bytes(CONTENT)
    return tmp_path


def test_a_run_whose_files_are_whole_is_done(folder: Path) -> None:
    assert finished(folder, RESULT)


@pytest.mark.parametrize("content", [None, b"other weights"])
def test_a_run_whose_files_are_not_is_trained_anew(folder: Path, content: bytes | None) -> None:
    (folder / BEST).unlink()
    if content is not None:
        (folder / BEST).write_bytes(content)
    assert not finished(folder, RESULT)


@pytest.mark.parametrize("result", [None, {}, RESULT | {"epochs": "three"}])
def test_a_record_of_another_version_is_no_record(
    folder: Path, result: dict[str, Any] | None
) -> None:
    """Else every attempt would end with a fault, and no user could mend it."""
    assert not finished(folder, result)


@pytest.mark.parametrize("content", [None, b"another page"])
def test_a_report_that_is_lost_is_left_out_and_nobody_trains_again(
    folder: Path, content: bytes | None
) -> None:
    answer = Answer(message="trained", result=WITH_REPORT)
    write_done(folder, owner_uid="uid-1", inputs={}, answer=answer)
    if content is not None:
        (folder / REPORT).write_bytes(content)
    done = RunFolder(folder, "team/run").finished(None)
    assert done is not None
    assert done.answer == Answer(message="trained", result=RESULT)
