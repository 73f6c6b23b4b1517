"""The pod that makes a sheet of a route's newest annotations, for the user who asks for it."""

from __future__ import annotations

from typing import Any

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.secrets import Role
from sealyard.api.sheet import SheetTask
from sealyard.core.jobs.datasets import dataset_mounts, remote_dataset
from sealyard.core.reading_pod import reading_pod
from sealyard.core.settings import PodSettings
from sealyard.core.snapshot import storage_place

MODULE = "sealyard_router.sheet.pod"
MEMORY = "768Mi"
"""Of a picture that is decoded, which whoever may publish chose."""


def sheet_pod(
    route: AnnotationRoute, pods: PodSettings, *, image: str, pictures: int, suffix: str
) -> dict[str, Any]:
    """The manifest of the pod: it reads the route's storage with the credential that may only read.

    Args:
        route: whose storage it is.
        pods: what every pod gets.
        image: the router's.
        pictures: how many are shown at most.
        suffix: of its name, so that two users are in nobody's way.
    """
    place = storage_place(route.spec.storage)
    task = SheetTask(
        route=route.metadata.name,
        pictures=pictures,
        storage=remote_dataset(place),
        storage_path=place.path,
    )
    return reading_pod(
        route.metadata,
        "preview",
        suffix,
        pods,
        image=image,
        arguments=[MODULE],
        mounts=dataset_mounts(Role.TRAIN, place),
        memory=MEMORY,
        environment={TASK_VARIABLE: task.model_dump_json(by_alias=True, exclude_none=True)},
    )
