"""The run's folder in the workspace: what is in it, and what may be taken from an earlier life."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from sealyard.annotations.lineage import LINEAGE_FILE
from sealyard.api.answers import TrainResult
from sealyard.api.training_run import Artifact
from sealyard.errors import IntegrityError
from sealyard.jobs.done import DONE_FILE, Done, read_done, remove_done
from sealyard.jobs.lock import WorkspaceLock
from sealyard.jobs.workspace import (
    TEMPORARY_SUFFIX,
    copy_atomic,
    hash_file,
    make_folder,
    remove_temporaries,
)
from sealyard_trainer.attempts import ATTEMPTS_FILE
from sealyard_trainer.checkpoints import Checkpoints, newest_epoch, vouched_for
from sealyard_trainer.dataset_lock import LOCK_FILE
from sealyard_trainer.shared_start import SHARED_FILE

BEST, CURVE, REPORT, PLOTS = "best.pt", "results.csv", "report.html", "plots"
EVENTS = "tensorboard"
DATASET = "dataset"
CHECKPOINTS = "checkpoints"
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

    @property
    def best(self) -> Path:
        """What came out."""
        return self.path / BEST

    @property
    def dataset(self) -> Path:
        """What was fetched of a dataset that lies elsewhere, while the run is not done."""
        return self.path / DATASET

    @property
    def report(self) -> Path:
        """The page that explains the run."""
        return self.path / REPORT

    @property
    def lineage(self) -> Path:
        """Which annotations the dataset was made of, where a route has filed it."""
        return self.path / LINEAGE_FILE

    @property
    def events(self) -> Path:
        """The folder that TensorBoard is pointed at."""
        return self.path / EVENTS

    def open(self, mount: Path) -> None:
        """Make it, if it is not there yet."""
        make_folder(self.path, mount)
        remove_temporaries(self.path)

    def checkpoints(self) -> Checkpoints:
        """What an interrupted run resumes from."""
        return Checkpoints(self.path / CHECKPOINTS)

    @property
    def epochs_kept(self) -> int:
        """How many epochs are in the newest checkpoint, whole or not; 0 where there is none."""
        return newest_epoch(self.path / CHECKPOINTS)

    def lasting(self) -> list[str]:
        """Of all that is in it, what the next attempt and others may need: paths below it.

        Checkpoints first: a curve may be longer than the checkpoint beside it, and not shorter.
        """
        names = [f"{CHECKPOINTS}/{name}" for name in vouched_for(self.path / CHECKPOINTS)]
        single = (DONE_FILE, BEST, CURVE, REPORT, LOCK_FILE, ATTEMPTS_FILE, LINEAGE_FILE)
        names += [name for name in single if (self.path / name).exists()]
        for folder in (PLOTS, EVENTS):
            names += [
                path.relative_to(self.path).as_posix()
                for path in sorted((self.path / folder).rglob("*"))
                if path.is_file() and path.suffix != TEMPORARY_SUFFIX
            ]
        return names

    def milestone(self) -> tuple[bool, str]:
        """Another one as soon as it has something that must not be lost: the dataset's lock, and
        then each checkpoint.
        """
        records = (path.name for path in self.path.glob(f"{CHECKPOINTS}/*.json"))
        return (self.path / LOCK_FILE).exists(), max(records, default="")

    def make_work(self, holder: str) -> Path:
        """An empty folder for ultralytics; those of former pods are deleted."""
        for folder in self.work_folders():
            shutil.rmtree(folder)
        work = self.path / f"{WORK_PREFIX}{holder}"
        work.mkdir()
        return work

    def finished(self, requested_at: datetime | None) -> Done | None:
        """The answer of a run that is done, if nobody asked again and its files are whole.

        A report, or the list of the annotations, that is gone is left out of the answer: nobody
        trains again for want of a page.
        """
        done = read_done(self.path)
        if done is None or not done.holds(requested_at=requested_at):
            return None
        try:
            result = TrainResult.model_validate(done.answer.result)
        except ValidationError:
            return None
        whole = [each for each in result.artifacts if self._whole(each)]
        lost = {each.name for each in result.artifacts if each not in whole}
        if not lost:
            return done
        if not lost <= {REPORT, LINEAGE_FILE}:
            return None
        result = result.model_copy(update={"artifacts": whole})
        answer = done.answer.model_copy(update={"result": result.to_wire()})
        return done.model_copy(update={"answer": answer})

    def void(self) -> None:
        """Delete everything that a new beginning must not find."""
        remove_done(self.path)
        self.checkpoints().clear()
        for folder in (PLOTS, EVENTS):
            shutil.rmtree(self.path / folder, ignore_errors=True)
        for name in (BEST, CURVE, REPORT, LINEAGE_FILE, LOCK_FILE, ATTEMPTS_FILE, SHARED_FILE):
            (self.path / name).unlink(missing_ok=True)

    def keep_results(self, best: Path, plots: Path) -> list[Artifact]:
        """Move what came out to where it stays, and say what it is."""
        copy_atomic(best, self.best)
        shutil.rmtree(self.path / PLOTS, ignore_errors=True)
        (self.path / PLOTS).mkdir()
        for plot in sorted(plots.iterdir()):
            if plot.suffix in PLOT_SUFFIXES:
                copy_atomic(plot, self.path / PLOTS / plot.name)
        return [self.artifact(name) for name in (BEST, CURVE)]

    def work_folders(self) -> list[Path]:
        """Those of ultralytics: of pods that were here, or are."""
        return sorted(self.path.glob(f"{WORK_PREFIX}*"))

    def tidy(self, lock: WorkspaceLock, former: Iterable[Path]) -> None:
        """Delete what only an unfinished run needs, and nothing that a newer pod works on.

        Args:
            lock: this pod's claim.
            former: ultralytics' folders that were there when it took it.

        Raises:
            Interrupted: another pod has taken the folder.
        """
        for folder in (self.path / f"{WORK_PREFIX}{lock.holder}", *former):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.path / CHECKPOINTS, self.dataset):
            lock.check()
            shutil.rmtree(folder, ignore_errors=True)
        for name in (ATTEMPTS_FILE, SHARED_FILE):
            lock.check()
            (self.path / name).unlink(missing_ok=True)

    def artifact(self, name: str) -> Artifact:
        """What a file in it is.

        Raises:
            IntegrityError, OSError: as `hash_file`.
        """
        digest = hash_file(self.path / name)
        return Artifact(
            name=name,
            path=f"{self.name}/{name}",
            sha256=digest.sha256,
            size_bytes=digest.size_bytes,
        )

    def _whole(self, artifact: Artifact) -> bool:
        try:
            return self.artifact(artifact.name) == artifact
        except (OSError, IntegrityError):
            return False
