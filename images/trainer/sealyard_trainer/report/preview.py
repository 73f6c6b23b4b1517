"""A dataset at a glance: `python -m sealyard_trainer.report.preview`, which needs no cluster.

`sealyard dataset preview` runs it. What augmentation does is shown where ultralytics is installed;
nothing else here needs it.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from sealyard.errors import MissingError, SealyardError
from sealyard.jobs.offline import work_offline
from sealyard.jobs.workspace import write_atomic
from sealyard_trainer.dataset import Dataset, read_dataset
from sealyard_trainer.dataset_check import inspect
from sealyard_trainer.report.dataset import collect_dataset
from sealyard_trainer.report.model import Picture, Report
from sealyard_trainer.report.page import render


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the preview and give the exit code."""
    parser = argparse.ArgumentParser(description="Shows a YOLO dataset as one HTML page.")
    parser.add_argument("folder", type=Path, help="the folder with data.yaml")
    parser.add_argument("--output", type=Path, required=True, help="where the page goes")
    options = parser.parse_args(arguments)
    try:
        _write(options.folder.absolute(), options.output.absolute())
    except SealyardError as error:
        sys.stderr.write(f"sealyard: {' '.join(str(error).split())}\n")
        return error.exit_code
    return 0


def _write(folder: Path, output: Path) -> None:
    dataset = read_dataset(folder)
    inspection = inspect(dataset)
    report = Report(
        title=folder.resolve().name,
        made_at=datetime.now(UTC),
        dataset=collect_dataset(dataset, inspection, _augmented(dataset)),
    )
    try:
        write_atomic(output, render(report).encode())
    except OSError as error:
        raise MissingError(f"{output}: cannot be written ({error.strerror})") from error


def _augmented(dataset: Dataset) -> Sequence[Picture]:
    if importlib.util.find_spec("ultralytics") is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="sealyard-preview-") as scratch:
        work_offline(Path(scratch))
        view = Path(scratch, "view")
        view.mkdir()
        # By its name, because the extra `preview` does not have what it imports.
        augmentation = import_module("sealyard_trainer.report.augmentation")
        augmented: Sequence[Picture] = augmentation.augment(dataset, {}, view)
        return augmented


if __name__ == "__main__":
    sys.exit(main())
