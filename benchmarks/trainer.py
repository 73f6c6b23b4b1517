"""The trainer against `yolo train` with the same arguments, on a GPU where there is one.

Both train the quickstart's tiles of a real photograph. What counts is the training itself, from the
end of the first epoch to that of the last, checkpoints and all, as both write it down: what stands
before and after it (checks, the report) is the same for a training of a week.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from benchmarks.children import Program, peak_mebibytes, run
from benchmarks.table import CheckError, OpenPeak, OpenRace, Peak, Race, Side
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.tasks import Owner, TrainTask, to_environment
from sealyard.api.training_run import Hyperparameters, ModelSpec

_LEAST_SPEED: Final = 0.98
_MOST_MEMORY: Final = 1.1
"""Of theirs."""
_ARCHITECTURE: Final = "yolo11n.yaml"
_EXTRA: Final[Mapping[str, Any]] = {"lr0": 0.002, "mosaic": 0.0, "nbs": 16, "plots": False}
_COINS: Final = Path(__file__).parents[1] / "examples/quickstart/coins.py"
_PICTURES: Final = 160
_GPU: Final = Path("/dev/nvidia0")
_DRIVER: Final = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


@dataclass(slots=True)
class _Trainings:
    """One training after the other by both programs, each in a folder of its own.

    Attributes:
        folder: of all of them, with the dataset in it.
        on_gpu: where they train.
    """

    folder: Path
    on_gpu: bool = field(default_factory=_GPU.exists)

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Of both; as many epochs as take half a minute."""
        return Hyperparameters(
            epochs=40 if self.on_gpu else 6,
            image_size=128,
            batch=16,
            seed=1,
            optimizer="AdamW",
            extra=dict(_EXTRA),
        )

    @property
    def size_bytes(self) -> int:
        """The pixels that are trained on from the end of the first epoch to that of the last."""
        chosen = self.hyperparameters
        return (chosen.epochs - 1) * _PICTURES * 3 * chosen.image_size**2

    def prepare(self) -> None:
        """Cut the dataset, once."""
        run(Program([sys.executable, _COINS, self.folder / "dataset"]))

    def clear(self) -> None:
        """Nothing of an earlier training is left to go on from."""
        for name in ("ours", "theirs"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name / "scratch").mkdir(parents=True)

    def ours(self) -> Program:
        """The Job's program."""
        folder = self.folder / "ours"
        task = TrainTask(
            owner=Owner(namespace="bench", name="coins", uid="bench"),
            attempt=1,
            model=ModelSpec(architecture=_ARCHITECTURE),
            hyperparameters=self.hyperparameters,
            dataset_path="coins",
            run_path="run",
            gpus=int(self.on_gpu),
        )
        return Program(
            [
                Path(sys.executable).with_name("sealyard-trainer"),
                *("--workspace", folder / "workspace", "--scratch", folder / "scratch"),
                *("--dataset", self.folder / "dataset"),
                *("--termination-message", folder / "answer"),
            ],
            environment=self._environment(folder) | {TASK_VARIABLE: to_environment(task)},
        )

    def theirs(self) -> Program:
        """Ultralytics' own, given what the trainer gives to ultralytics."""
        folder, chosen = self.folder / "theirs", self.hyperparameters
        arguments = {
            **_EXTRA,
            "model": _ARCHITECTURE,
            "data": self.folder / "dataset/coins/data.yaml",
            "epochs": chosen.epochs,
            "imgsz": chosen.image_size,
            "batch": chosen.batch,
            "seed": chosen.seed,
            "patience": chosen.patience,
            "optimizer": chosen.optimizer,
            "project": folder,
            "name": "run",
            **(
                {"device": 0, "amp": "bf16", "workers": min(len(os.sched_getaffinity(0)), 8)}
                if self.on_gpu
                else {"device": "cpu", "amp": False, "workers": 0}
            ),
        }
        return Program(
            [
                *(Path(sys.executable).with_name("yolo"), "detect", "train"),
                *(f"{name}={value}" for name, value in arguments.items()),
            ],
            environment=self._environment(folder),
        )

    def trained_seconds(self, name: str) -> float:
        """From the end of a training's first epoch to that of its last.

        Raises:
            CheckError: it has not trained all its epochs.
        """
        found = next((self.folder / name).glob("**/results.csv"), None)
        rows = list(csv.DictReader(found.read_text().splitlines())) if found else []
        if len(rows) != self.hyperparameters.epochs:
            raise CheckError(f"{name}: {len(rows)} epochs of {self.hyperparameters.epochs}")
        times = [float(row["time"]) for row in rows]
        return times[-1] - times[0]

    def _environment(self, folder: Path) -> dict[str, str]:
        """Neither looks for anything in the network, or in anybody's home."""
        scratch = folder / "scratch"
        fonts = scratch / "Ultralytics"
        fonts.mkdir(exist_ok=True)
        font = Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
        shutil.copyfile(font, fonts / "Arial.ttf")
        return {
            "YOLO_OFFLINE": "1",
            "YOLO_AUTOINSTALL": "0",
            "YOLO_CONFIG_DIR": str(scratch),
            "MPLCONFIGDIR": str(scratch),
            "TMPDIR": str(scratch),
            **{name: os.environ[name] for name in _DRIVER if name in os.environ},
        }


@contextmanager
def _speed(folder: Path, _size_bytes: int) -> Iterator[Race]:
    trainings = _Trainings(folder)
    trainings.prepare()
    yield Race(
        what=f"train {_ARCHITECTURE} on {'a GPU' if trainings.on_gpu else 'the processor'}",
        against="yolo train, the same arguments",
        least=_LEAST_SPEED,
        size_bytes=trainings.size_bytes,
        ours=_side(trainings, "ours"),
        theirs=_side(trainings, "theirs"),
    )


def _side(trainings: _Trainings, name: str) -> Side:
    program = trainings.ours if name == "ours" else trainings.theirs
    return Side(
        run=lambda: run(program()),
        before=trainings.clear,
        took=lambda: trainings.trained_seconds(name),
    )


@contextmanager
def _memory(folder: Path, _size_bytes: int) -> Iterator[Peak]:
    trainings = _Trainings(folder)
    trainings.prepare()

    def peak(name: str) -> float:
        trainings.clear()
        mebibytes = peak_mebibytes(trainings.ours() if name == "ours" else trainings.theirs())
        trainings.trained_seconds(name)
        return mebibytes

    theirs = peak("theirs")
    yield Peak(
        f"sealyard-trainer, against yolo train's {theirs:.0f} MiB",
        theirs * _MOST_MEMORY,
        trainings.size_bytes,
        lambda: peak("ours"),
    )


RACES: Final[Mapping[str, OpenRace]] = {"trainer-speed": _speed}
PEAKS: Final[Mapping[str, OpenPeak]] = {"trainer-memory": _memory}
