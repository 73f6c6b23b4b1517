"""How a Job that has not ended yet is described."""

from __future__ import annotations

from datetime import datetime, timedelta

from sealyard.api.conditions import Reason
from sealyard.core.conditions import State, under_way
from sealyard.core.observed import ObservedJob, ObservedPod
from sealyard.core.queue import waiting_for_admission

PATIENCE = timedelta(seconds=10)
"""How long a pod may be unscheduled or unpulled before anybody is told: most are, for a moment."""
PATIENCE_WITH_A_NODE = timedelta(seconds=60)
"""How long after its grace a pod may still be said to run: a busy node tells late."""
HARMLESS = frozenset({"ContainerCreating", "PodInitializing"})
POLL_SECONDS = 2.0
"""When a finished Job's pod is looked at again."""


def has_started(job: ObservedJob) -> bool:
    """Whether the container runs, or has run."""
    return job.pod is not None and job.pod.phase != "Pending"


def is_lost(pod: ObservedPod, now: datetime) -> bool:
    """Whether its container is said to run though the time to end has passed: a node that lives
    would have killed it by then, and said so.
    """
    lost_at = lost_from(pod)
    return pod.started_at is not None and lost_at is not None and lost_at <= now


def trouble(job: ObservedJob, *, now: datetime) -> State | None:
    """What keeps a live Job's pod from starting, or ending; None while all may be well."""
    if job.suspended and not job.deleting:
        return waiting_for_admission(job)
    pod = job.pod
    if pod and is_lost(pod, now):
        return node_lost(pod)
    if pod is None or has_started(job) or not _overdue(job, now):
        return None
    return not_started(pod)


def node_lost(pod: ObservedPod) -> State:
    """What is said of a pod that is lost."""
    return under_way(
        Reason.NODE_LOST,
        f"node {pod.node} of pod {pod.name} does not answer, and nobody knows whether it still "
        "writes; bring the node back, or, if it is shut down for good: kubectl taint nodes "
        f"{pod.node} node.kubernetes.io/out-of-service=shutdown:NoExecute",
    )


def not_started(pod: ObservedPod) -> State | None:
    """What keeps a pod from starting that should have by now; None where nothing is known."""
    if not pod.waiting_reason or pod.waiting_reason in HARMLESS:
        return None
    why = pod.waiting_reason
    if pod.waiting_message:
        why = f"{why}: {pod.waiting_message}"
    return under_way(Reason.POD_NOT_STARTED, f"pod {pod.name} cannot start: {why}")


def waiting_for_pod(kind: str, job_name: str) -> State:
    """The state between the creation of a Job and the start of its pod."""
    return under_way(Reason.PENDING, f"waiting for the pod of {kind} {job_name}")


def look_again(job: ObservedJob, now: datetime) -> float | None:
    """When the Job must be looked at again although nothing may have happened to it."""
    if job.state != "Active":
        return POLL_SECONDS
    if not has_started(job) and not _overdue(job, now):
        return (_begun_at(job) + PATIENCE - now).total_seconds() + 0.1
    lost_at = lost_from(job.pod) if job.pod else None
    if lost_at is not None and lost_at > now:
        return (lost_at - now).total_seconds() + 0.1
    return None


def lost_from(pod: ObservedPod) -> datetime | None:
    """When a pod that somebody deleted counts as lost, if it is still said to run then."""
    return pod.deleted_by + PATIENCE_WITH_A_NODE if pod.deleted_by else None


def _overdue(job: ObservedJob, now: datetime) -> bool:
    return now >= _begun_at(job) + PATIENCE


def _begun_at(job: ObservedJob) -> datetime:
    """One that waited in a queue gets its pod long after it was created."""
    return job.begun_at or job.created_at
