"""The Job that exports one variant."""

from __future__ import annotations

from typing import Any

from sealyard.api.model_release import ModelRelease, VariantSpec
from sealyard.api.secrets import Role
from sealyard.api.tasks import (
    FIRST_TASK_VERSION,
    PLATFORM_TASK_VERSION,
    S3_TASK_VERSION,
    SNAPSHOT_TASK_VERSION,
    WORKSPACE_TASK_VERSION,
    ExportTask,
    Owner,
)
from sealyard.api.training_run import Artifact, TrainingRun
from sealyard.core.compute import Compute, amount
from sealyard.core.jobs import pod
from sealyard.core.jobs.datasets import dataset_mounts, remote_dataset, route_snapshot
from sealyard.core.jobs.workspaces import remote_workspace, with_cache, workspace_mounts
from sealyard.core.settings import Settings

ENTRY_POINT = "sealyard-exporter"
REQUESTS = {"cpu": "500m", "memory": "1Gi"}
LEAST_MEMORY = "4Gi"
LEAST_MEMORY_ON_GPU = "8Gi"
"""CUDA and the builder of engines keep some gigabytes in the host's memory."""
SCRATCH_SIZE = "2Gi"


def export_job(
    release: ModelRelease,
    run: TrainingRun,
    settings: Settings,
    compute: Compute,
    *,
    variant: VariantSpec,
    checkpoint: Artifact,
    image_size: int,
    attempt: int,
) -> dict[str, Any]:
    """The Job of one attempt at one variant, which judges it on the run's validation set.

    It asks for little, whatever the profile says that training needs, and may use as much memory.
    """
    workspace = run.spec.workspace
    dataset, snapshot = run.dataset_place, run.status.snapshot
    task = ExportTask(
        task_version=_version(variant, run),
        owner=Owner(
            namespace=release.metadata.namespace,
            name=release.metadata.name,
            uid=release.metadata.uid,
        ),
        attempt=attempt,
        variant=variant,
        checkpoint_path=checkpoint.path,
        checkpoint_sha256=checkpoint.sha256,
        image_size=image_size,
        dataset_path=dataset.path,
        dataset=remote_dataset(dataset),
        snapshot=route_snapshot(snapshot),
        run_path=run.workspace_path,
        release_path=workspace.folder(release.metadata.namespace, release.workspace_folder),
        workspace=remote_workspace(workspace),
        model=release.spec.model,
        version=release.spec.version,
    )
    return pod.build(
        pod.JobParts(
            owner=release,
            role=Role.EXPORT,
            variant=variant.name,
            attempt=attempt,
            image=compute.images.exporter,
            entry_point=ENTRY_POINT,
            task=task,
            resources=with_cache(_resources(compute, variant), workspace),
            mounts=[
                *workspace_mounts(Role.EXPORT, workspace),
                *dataset_mounts(Role.EXPORT, dataset),
            ],
            scratch_size=SCRATCH_SIZE,
            ttl_seconds=settings.release_ttl_seconds_after_finished,
            queue=release.spec.queue_name,
            pods=compute.pods,
        )
    )


def _version(variant: VariantSpec, run: TrainingRun) -> int:
    if run.spec.workspace.s3 is not None:
        return WORKSPACE_TASK_VERSION
    if run.status.snapshot is not None:
        return SNAPSHOT_TASK_VERSION
    if run.spec.dataset.s3 is not None:
        return S3_TASK_VERSION
    return PLATFORM_TASK_VERSION if variant.is_engine else FIRST_TASK_VERSION


def _resources(compute: Compute, variant: VariantSpec) -> dict[str, Any]:
    """One GPU for what is built on it; no more than the profile gives to every pod for the rest."""
    count = max(compute.least_gpus, int(variant.needs_gpu))
    gpus = {compute.pods.gpu_resource: str(count)} if count else {}
    limits = {"memory": memory_limit(compute, needs_gpu=variant.needs_gpu)}
    return {"requests": REQUESTS | gpus, "limits": limits | gpus}


def memory_limit(compute: Compute, *, needs_gpu: bool) -> str:
    """What an export may use: what a profile gives to who trains, but never too little."""
    least = LEAST_MEMORY_ON_GPU if needs_gpu else LEAST_MEMORY
    return max(least, compute.memory, key=amount)
