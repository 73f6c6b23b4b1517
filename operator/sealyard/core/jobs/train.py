"""The Job that trains."""

from __future__ import annotations

from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.kind import REQUESTED_AT_ANNOTATION
from sealyard.api.secrets import Role
from sealyard.api.tasks import (
    COPIES_TASK_VERSION,
    FIRST_TASK_VERSION,
    NODES_TASK_VERSION,
    S3_TASK_VERSION,
    SNAPSHOT_TASK_VERSION,
    WEIGHTS_TASK_VERSION,
    WORKSPACE_TASK_VERSION,
    Nodes,
    Owner,
    RemoteMlflow,
    TrainTask,
)
from sealyard.api.training_run import PinnedWeights, TrainingRun
from sealyard.core.compute import Compute
from sealyard.core.jobs import pod
from sealyard.core.jobs.datasets import dataset_mounts, remote_dataset, route_snapshot
from sealyard.core.jobs.job_set import LONGEST_OWNER_NAME, job_set, meeting_point
from sealyard.core.jobs.tracking import remote_mlflow, tracking_mounts
from sealyard.core.jobs.workspaces import (
    remote_workspace,
    weights_mounts,
    with_cache,
    workspace_mounts,
)
from sealyard.core.settings import Settings
from sealyard.core.times import format_time, parse_time

ENTRY_POINT = "sealyard-trainer"
GRACE_SECONDS = 120
"""Time to finish the write of a checkpoint of many gigabytes."""
SCRATCH_SIZE = "2Gi"


def train_job(
    run: TrainingRun,
    settings: Settings,
    compute: Compute,
    *,
    attempt: int,
    image: str,
    weights: PinnedWeights | None = None,
    deadline_seconds: int | None = None,
) -> dict[str, Any]:
    """The Job of one attempt at a TrainingRun, or the JobSet where several nodes train.

    Args:
        run: its spec is valid; the state of a route that it is trained on is pinned.
        settings: the operator's configuration.
        compute: what its pod is given, by its ComputeProfile.
        attempt: the first is 1.
        image: the trainer's; later attempts get the digest that the first one ran.
        weights: what it is fine-tuned from, if anything.
        deadline_seconds: what is left of the run's deadline; Kubernetes ends the Job then, also
            while the operator is away.
    """
    spec = run.spec
    mounts = [
        *dataset_mounts(Role.TRAIN, run.dataset_place),
        *workspace_mounts(Role.TRAIN, spec.workspace),
        pod.shared_memory(compute.shared_memory),
    ]
    if weights is not None:
        mounts += weights_mounts(Role.TRAIN, weights)
    if settings.progress is not None:
        mounts.append(pod.progress_token())
    mlflow = spec.tracking.mlflow if spec.tracking else None
    if mlflow is not None:
        mounts += tracking_mounts(mlflow)
    name = attempt_name(run, compute.nodes, attempt)
    nodes = meeting_point(name, compute.nodes) if compute.nodes > 1 else None
    job = pod.build(
        pod.JobParts(
            owner=run,
            role=Role.TRAIN,
            attempt=attempt,
            image=image,
            entry_point=ENTRY_POINT,
            task=_task(
                run,
                settings,
                attempt,
                compute.gpus,
                weights=weights,
                mlflow=remote_mlflow(mlflow, image) if mlflow else None,
                nodes=nodes,
            ),
            resources=with_cache(_resources(compute), spec.workspace),
            mounts=mounts,
            scratch_size=SCRATCH_SIZE,
            grace_seconds=GRACE_SECONDS,
            deadline_seconds=deadline_seconds,
            ttl_seconds=spec.ttl_seconds_after_finished,
            queue=spec.queue_name,
            pods=compute.pods,
            name=name,
        )
    )
    return job_set(job, compute.nodes) if nodes else job


def attempt_name(run: TrainingRun, nodes: int, attempt: int) -> str:
    """The name of the Job or JobSet of an attempt."""
    metadata = run.metadata
    name = metadata.name[:LONGEST_OWNER_NAME] if nodes > 1 else metadata.name
    return job_name(name, metadata.uid, Role.TRAIN, "", attempt)


def _task(
    run: TrainingRun,
    settings: Settings,
    attempt: int,
    gpus: int,
    *,
    weights: PinnedWeights | None,
    mlflow: RemoteMlflow | None,
    nodes: Nodes | None,
) -> TrainTask:
    requested_at = parse_time(run.metadata.annotations.get(REQUESTED_AT_ANNOTATION))
    return TrainTask(
        task_version=_version(run, weights, nodes),
        owner=Owner(namespace=run.metadata.namespace, name=run.metadata.name, uid=run.metadata.uid),
        attempt=attempt,
        model=run.spec.model,
        hyperparameters=run.spec.hyperparameters,
        dataset_path=run.dataset_place.path,
        dataset=remote_dataset(run.dataset_place),
        snapshot=route_snapshot(run.status.snapshot),
        run_path=run.workspace_path,
        workspace=remote_workspace(run.spec.workspace),
        weights=weights,
        gpus=gpus,
        nodes=nodes,
        requested_at=format_time(requested_at) if requested_at else None,
        progress=settings.progress,
        mlflow=mlflow,
    )


def _version(run: TrainingRun, weights: PinnedWeights | None, nodes: Nodes | None) -> int:
    if run.spec.workspace.s3 is not None and nodes is not None:
        return COPIES_TASK_VERSION
    if run.spec.workspace.s3 is not None or (weights and weights.s3 is not None):
        return WORKSPACE_TASK_VERSION
    if run.status.snapshot is not None:
        return SNAPSHOT_TASK_VERSION
    if run.spec.dataset.s3 is not None:
        return S3_TASK_VERSION
    if nodes is not None:
        return NODES_TASK_VERSION
    return WEIGHTS_TASK_VERSION if weights else FIRST_TASK_VERSION


def _resources(compute: Compute) -> dict[str, Any]:
    """Memory and GPUs are guaranteed; processor time beyond the request may be used if idle."""
    both = {"memory": compute.memory}
    if compute.gpus:
        both[compute.pods.gpu_resource] = str(compute.gpus)
    return {"requests": {"cpu": compute.cpu, **both}, "limits": both}
