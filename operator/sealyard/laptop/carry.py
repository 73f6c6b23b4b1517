"""From manifests to trained and exported models, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sealyard.api.model_release import ModelRelease
from sealyard.api.tasks import PublishTask
from sealyard.api.training_run import TrainingRun
from sealyard.laptop.container import Folders, alone, run_container
from sealyard.laptop.manifests import read
from sealyard.laptop.objects import Objects
from sealyard.laptop.work import Work

STATE_FILE: Final = "objects.json"


@dataclass(frozen=True, slots=True)
class Made:
    """A TrainingRun that has succeeded, or a ModelRelease whose exports are good enough.

    Attributes:
        name: of the object.
        status: as `kubectl get -o json` would show it.
        task: of a release: what would be published.
        workspace: the folder that the task's paths are in.
    """

    name: str
    status: Mapping[str, Any]
    task: PublishTask | None = None
    workspace: Path | None = None


def carry_out(
    texts: Iterable[tuple[str, str]], folders: Folders, *, say: Callable[[str], None]
) -> Iterator[Made]:
    """Train every TrainingRun, then export every ModelRelease; what is done already is only told.

    Args:
        texts: name and content of each file with manifests.
        folders: what stands for volumes.
        say: told in a line what happens.

    Raises:
        SealyardError: an object is wrong, failed, or wants something that is not there. What was
            told before stands.
    """
    documents = read(texts, datetime.now(UTC))
    with alone(folders.work):
        objects = Objects(documents, folders.work / STATE_FILE)
        work = Work(objects, partial(run_container, folders=folders), say=say)
        for run in objects.of(TrainingRun.KIND):
            work.train(run)
            yield Made(run[1], objects.status(run))
        for release in objects.of(ModelRelease.KIND):
            task, claim = work.export(release)
            workspace = folders.claim(claim, read_only=True)
            yield Made(release[1], objects.status(release), task, workspace)
