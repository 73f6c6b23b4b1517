"""The run's folder in the workspace: what is in it, and what may be taken from an earlier life."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from sealyard.api.answers import Answer, TrainResult
from sealyard.api.training_run import Artifact
from sealyard.errors import IntegrityError
from sealyard.jobs.done import Done, read_done, remove_done
from sealyard.jobs.workspace import copy_atomic, hash_file, make_folder, remove_temporaries
from sealyard_trainer.checkpoints import Checkpoints
from sealyard_trainer.dataset_lock import LOCK_FILE

BEST, CURVE, PLOTS = "best.pt", "results.csv", "plots"
WORK_PREFIX = "work-"
PLOT_SUFFIXES = frozenset({".jpg", ".png"})


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`path` is where it is, `name` what it is called below the workspace's root."""

    path: Path
    name: str

    @property
    def curve(self) -> Path:
        """The one results.csv of all attempts."""
        return self.path / CURVE

    def open(self, mount: Path) -> None:
        """Make it, if it is not there yet."""
        make_folder(self.path, mount)
        remove_temporaries(self.path)

    def checkpoints(self) -> Checkpoints:
        """What an interrupted run resumes from."""
        return Checkpoints(self.path / "checkpoints")

    def make_work(self, holder: str) -> Path:
        """An empty folder for ultralytics; those of former pods are deleted."""
        for folder in self.path.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(folder)
        work = self.path / f"{WORK_PREFIX}{holder}"
        work.mkdir()
        return work

    def finished(self, requested_at: datetime | None) -> Done | None:
        """The answer of a run that is done, if nobody asked again and its files are whole."""
        done = read_done(self.path)
        if done is None or not done.holds(requested_at=requested_at):
            return None
        return done if self._whole(done.answer) else None

    def void(self) -> None:
        """Delete everything that a new beginning must not find."""
        remove_done(self.path)
        self.checkpoints().clear()
        shutil.rmtree(self.path / PLOTS, ignore_errors=True)
        for name in (BEST, CURVE, LOCK_FILE):
            (self.path / name).unlink(missing_ok=True)

    def keep_results(self, best: Path, plots: Path) -> list[Artifact]:
        """Move what came out to where it stays, and say what it is."""
        copy_atomic(best, self.path / BEST)
        shutil.rmtree(self.path / PLOTS, ignore_errors=True)
        (self.path / PLOTS).mkdir()
        for plot in sorted(plots.iterdir()):
            if plot.suffix in PLOT_SUFFIXES:
                copy_atomic(plot, self.path / PLOTS / plot.name)
        return [self._artifact(name) for name in (BEST, CURVE)]

    def tidy(self) -> None:
        """Delete what only an unfinished run needs."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)
        for folder in self.path.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _artifact(self, name: str) -> Artifact:
        digest = hash_file(self.path / name)
        return Artifact(
            name=name,
            path=f"{self.name}/{name}",
            sha256=digest.sha256,
            size_bytes=digest.size_bytes,
        )

    def _whole(self, answer: Answer) -> bool:
        try:
            result = TrainResult.model_validate(answer.result)
            return all(self._artifact(each.name) == each for each in result.artifacts)
        except (ValidationError, OSError, IntegrityError):
            return False
