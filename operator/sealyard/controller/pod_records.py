"""What the caches keep of a pod, and of the Deployment that a pod may be of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any

from sealyard.api.kind import (
    APPLIED_ANNOTATION,
    OWNER_KIND_LABEL,
    OWNER_NAME_ANNOTATION,
    OWNER_UID_LABEL,
)
from sealyard.api.mounts import CONTAINER_NAME
from sealyard.controller.records import controller_of, timestamp
from sealyard.controller.resources import CUSTOM_RESOURCES, Key
from sealyard.core.observed import ObservedDeployment, ObservedEnd, ObservedPod

Raw = Mapping[str, Any]
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
JOB_SET_UID_LABEL = "jobset.sigs.k8s.io/jobset-uid"
TEMPLATE_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A Deployment that a custom resource of ours controls."""

    namespace: str
    uid: str
    owner: Key
    owner_uid: str
    version: int
    deployment: ObservedDeployment

    @property
    def identity(self) -> tuple[str, str]:
        """Its namespace and name."""
        return self.namespace, self.deployment.name


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod of such a Job or Deployment."""

    namespace: str
    work_uid: str
    """Of the Job, or of the JobSet that this belongs to; of the custom resource whose Deployment
    it is of."""
    owner: Key | None
    """That custom resource. None for a pod of a Job, which names its owner."""
    deployment: str | None
    """The Deployment's name."""
    version: int
    created_at: datetime
    pod: ObservedPod

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return self.pod.uid


def deployment_record(raw: Raw) -> DeploymentRecord | None:
    """The record of a Deployment, or None if it carries our label but is none of ours."""
    metadata = raw["metadata"]
    owner = controller_of(metadata)
    if owner is None or owner["kind"] not in CUSTOM_RESOURCES:
        return None
    failure = _condition(raw.get("status") or {}, "ReplicaFailure", "True")
    namespace = intern(metadata["namespace"])
    return DeploymentRecord(
        namespace=namespace,
        uid=metadata["uid"],
        owner=Key(intern(owner["kind"]), namespace, owner["name"]),
        owner_uid=owner["uid"],
        version=int(metadata["resourceVersion"]),
        deployment=ObservedDeployment(
            name=metadata["name"],
            applied=(metadata.get("annotations") or {}).get(APPLIED_ANNOTATION),
            replicas=(raw.get("spec") or {}).get("replicas", 1),
            trouble=failure.get("message") if failure else None,
        ),
    )


def pod_record(raw: Raw) -> PodRecord | None:
    """The record of a pod, or None if neither a Job nor a Deployment of ours controls it."""
    metadata = raw["metadata"]
    work = _work_of(metadata)
    if work is None:
        return None
    status = raw.get("status") or {}
    container = _main_container(status)
    state = container.get("state") or {}
    terminated = state.get("terminated") or {}
    deleted_by = metadata.get("deletionTimestamp")
    ended_at = terminated.get("finishedAt")
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    created_at = timestamp(metadata["creationTimestamp"])
    started_at = (state.get("running") or {}).get("startedAt")
    waiting = state.get("waiting") or _unschedulable(status) or {}
    pod = ObservedPod(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=status.get("phase") or "Pending",
        node=(raw.get("spec") or {}).get("nodeName"),
        image_id=container.get("imageID") or None,
        exit_code=terminated.get("exitCode"),
        termination_reason=terminated.get("reason"),
        termination_message=terminated.get("message"),
        waiting_reason=waiting.get("reason"),
        waiting_message=waiting.get("message"),
        started_at=timestamp(started_at) if started_at else None,
        ended_at=timestamp(ended_at) if ended_at else None,
        index=int(labels.get(INDEX_LABEL, "0")),
        deleted_by=timestamp(deleted_by) if deleted_by else None,
        disrupted=_condition(status, "DisruptionTarget", "True") is not None,
        ready=bool(container.get("ready")),
        created_at=created_at,
        applied=annotations.get(APPLIED_ANNOTATION),
        last_end=_last_end(terminated or (container.get("lastState") or {}).get("terminated")),
    )
    return PodRecord(
        namespace=intern(metadata["namespace"]),
        work_uid=work.uid,
        owner=work.owner,
        deployment=work.deployment,
        version=int(metadata["resourceVersion"]),
        created_at=created_at,
        pod=pod,
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What a pod is of, as in its record."""

    uid: str
    owner: Key | None = None
    deployment: str | None = None


def _work_of(metadata: Raw) -> _Work | None:
    labels = metadata.get("labels") or {}
    job = controller_of(metadata, group="batch", kind="Job")
    if job is not None:
        return _Work(labels.get(JOB_SET_UID_LABEL) or job["uid"])
    replicas = controller_of(metadata, group="apps", kind="ReplicaSet")
    name = (metadata.get("annotations") or {}).get(OWNER_NAME_ANNOTATION)
    uid, kind = labels.get(OWNER_UID_LABEL), labels.get(OWNER_KIND_LABEL)
    if replicas is None or name is None or uid is None or kind not in CUSTOM_RESOURCES:
        return None
    return _Work(
        uid,
        owner=Key(intern(kind), intern(metadata["namespace"]), name),
        deployment=replicas["name"].removesuffix(f"-{labels.get(TEMPLATE_LABEL)}"),
    )


def _last_end(terminated: Raw | None) -> ObservedEnd | None:
    if not terminated:
        return None
    return ObservedEnd(
        exit_code=terminated["exitCode"],
        reason=terminated.get("reason"),
        message=terminated.get("message"),
    )


def _main_container(status: Raw) -> Raw:
    for container in status.get("containerStatuses") or ():
        if container["name"] == CONTAINER_NAME:
            found: Raw = container
            return found
    return {}


def _unschedulable(status: Raw) -> Raw | None:
    return _condition(status, "PodScheduled", "False")


def _condition(status: Raw, type_: str, value: str) -> Raw | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == type_ and condition["status"] == value:
            found: Raw = condition
            return found
    return None
