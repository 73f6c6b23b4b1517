"""The dataset's part without a cluster, and without what the AGPL reaches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sealyard_trainer.report.preview import main


@pytest.fixture(autouse=True)
def without_ultralytics(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed."""
    monkeypatch.setitem(sys.modules, "ultralytics", None)


def test_a_dataset_is_shown(dataset: Path, tmp_path: Path) -> None:
    page = tmp_path / "preview.html"
    assert main([str(dataset), "--output", str(page)]) == 0
    html = page.read_text()
    assert "Dataset preview" in html
    assert "images/train/b.jpg" in html
    assert "augmentation" not in html
    assert str(tmp_path) not in html


@pytest.mark.parametrize(
    ("file", "text", "code", "message"),
    [
        ("labels/train/a.txt", "0 0.5 0.5 2 0.5\n", 64, "labels/train/a.txt:1: width is 2"),
        ("data.yaml", "train: x\n", 64, "dataset: data.yaml"),
        ("data.yaml", "", 64, "dataset: data.yaml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    dataset: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    file: str,
    text: str,
    code: int,
    message: str,
) -> None:
    (dataset / file).write_text(text)
    page = dataset.parent / "preview.html"
    assert main([str(dataset), "--output", str(page)]) == code
    said = capsys.readouterr().err
    assert said.startswith("sealyard: ")
    assert message in said
    assert said.count("\n") == 1
    assert not page.exists()


def test_a_page_that_cannot_be_written(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(dataset), "--output", str(tmp_path / "gone" / "page")]) == 66
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err
