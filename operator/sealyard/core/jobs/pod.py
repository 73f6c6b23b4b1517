"""What every Job of ours has in common: names, labels, retries, and the hardening of its pod.

The pod is that of a router's Deployment, too (`router`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sealyard.api.digests import job_name
from sealyard.api.kind import (
    API_VERSION,
    ATTEMPT_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_KIND_LABEL,
    OWNER_NAME_ANNOTATION,
    OWNER_UID_LABEL,
    ROLE_LABEL,
    TASK_VERSION_LABEL,
    VARIANT_LABEL,
    CustomResource,
)
from sealyard.api.mounts import (
    ANNOTATIONS_DIRECTORY,
    CA_DIRECTORY,
    CONTAINER_NAME,
    DATASET_DIRECTORY,
    INPUT_DIRECTORY,
    POD_UID_VARIABLE,
    PROGRESS_AUDIENCE,
    PROGRESS_TOKEN_FILE,
    SCRATCH_DIRECTORY,
    TASK_VARIABLE,
    TERMINATION_MESSAGE_FILE,
    TRUST_ROOT_DIRECTORY,
    WEIGHTS_DIRECTORY,
    WORKSPACE_DIRECTORY,
    WORKSPACE_VOLUME,
)
from sealyard.api.secrets import OF_WEIGHTS, SECRET_USES, SECRETS_DIRECTORY, Purpose, Role
from sealyard.api.tasks import Task, to_environment
from sealyard.core.jobs.inputs import input_key, input_name
from sealyard.core.pod_security import container_security, pod_security
from sealyard.core.queue import QUEUE_LABEL
from sealyard.core.settings import PodSettings
from sealyard.core.volumes import ca_volume, secret_volume

PROGRESS_TOKEN_SECONDS = 3600
EXIT_CODES_THAT_END_THE_JOB = (64, 65, 66, 77)
DEFAULT_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume and where it appears in the container."""

    volume: dict[str, Any]
    path: str
    read_only: bool = True

    @property
    def volume_mount(self) -> dict[str, Any]:
        """The container's side of it."""
        mount: dict[str, Any] = {"name": self.volume["name"], "mountPath": self.path}
        return mount | {"readOnly": True} if self.read_only else mount


@dataclass(frozen=True, slots=True)
class JobParts:
    """Everything about a Job, or a router, that differs from role to role."""

    owner: CustomResource
    role: Role
    attempt: int
    image: str
    entry_point: str
    task: Task
    resources: dict[str, Any]
    mounts: Sequence[Mount]
    scratch_size: str
    variant: str = ""
    grace_seconds: int = DEFAULT_GRACE_SECONDS
    deadline_seconds: int | None = None
    ttl_seconds: int | None = None
    queue: str | None = None
    """The LocalQueue of Kueue that has to admit it."""
    pods: PodSettings = field(default_factory=PodSettings)
    name: str | None = None
    """Where it is not the usual one."""


def workspace(claim_name: str, *, read_only: bool = False) -> Mount:
    """The claim that checkpoints and exports are kept in."""
    return _claim(WORKSPACE_VOLUME, claim_name, WORKSPACE_DIRECTORY, read_only=read_only)


def workspace_cache(size: str) -> Mount:
    """The pod's own copy of a workspace that is in a store."""
    volume = {"name": WORKSPACE_VOLUME, "emptyDir": {"sizeLimit": size}}
    return Mount(volume, WORKSPACE_DIRECTORY, read_only=False)


def dataset(claim_name: str) -> Mount:
    """The claim with the pictures, which nothing of ours writes to."""
    return _claim("dataset", claim_name, DATASET_DIRECTORY, read_only=True)


def weights(claim_name: str) -> Mount:
    """The claim with the checkpoint to start from; it may be that of the workspace, too."""
    return _claim("weights", claim_name, WEIGHTS_DIRECTORY, read_only=True)


def filed_annotations(claim_name: str) -> Mount:
    """The claim that annotations are filed in."""
    return _claim("annotations", claim_name, ANNOTATIONS_DIRECTORY, read_only=False)


def secret(role: Role, purpose: Purpose, secret_name: str) -> Mount:
    """The keys of one purpose, and no other key of the Secret.

    Raises:
        ValueError: the role may not mount this purpose.
    """
    return _secret(role, purpose, secret_name, f"secret-{purpose}", str(purpose))


def secret_of_weights(role: Role, secret_name: str) -> Mount:
    """The keys of the workspace that what is fine-tuned lies in, beside those of the run's own.

    Raises:
        ValueError: the role may not mount them.
    """
    return _secret(role, Purpose.WORKSPACE, secret_name, "secret-weights", OF_WEIGHTS)


def secrets_by_name(role: Role, purpose: Purpose, secret_names: Sequence[str]) -> list[Mount]:
    """The same for a purpose of which there may be several Secrets.

    Raises:
        ValueError: the role may not mount this purpose.
    """
    return [
        _secret(role, purpose, name, f"secret-{purpose}-{number}", f"{purpose}/{name}")
        for number, name in enumerate(secret_names)
    ]


def _secret(role: Role, purpose: Purpose, secret_name: str, volume_name: str, path: str) -> Mount:
    if role not in SECRET_USES[purpose].roles:
        raise ValueError(f"a {role} Job may not mount {purpose}")
    volume = secret_volume(volume_name, purpose, secret_name)
    return Mount(volume, f"{SECRETS_DIRECTORY}/{path}")


def ca_bundle(remote: str, config_map_name: str) -> Mount:
    """The ConfigMap that a remote's certificate must verify against."""
    return Mount(ca_volume(f"ca-{remote}", config_map_name), f"{CA_DIRECTORY}/{remote}")


def trust_root(config_map_name: str) -> Mount:
    """The public chain of roots, all of it. Optional, so that the program says what is missing."""
    volume = {"name": "trust-root", "configMap": {"name": config_map_name, "optional": True}}
    return Mount(volume, TRUST_ROOT_DIRECTORY)


def job_input(job_name: str, parts: int) -> Mount:
    """The input of a Job. Its ConfigMaps are created after it, and its pod waits for them."""
    sources = [
        {
            "configMap": {
                "name": input_name(job_name, part),
                "items": [{"key": input_key(part), "path": input_key(part)}],
            }
        }
        for part in range(parts)
    ]
    return Mount({"name": "input", "projected": {"sources": sources}}, INPUT_DIRECTORY)


def progress_token() -> Mount:
    """A short-lived token that proves to the progress endpoint which pod is speaking."""
    directory, _, name = PROGRESS_TOKEN_FILE.rpartition("/")
    token = {
        "audience": PROGRESS_AUDIENCE,
        "expirationSeconds": PROGRESS_TOKEN_SECONDS,
        "path": name,
    }
    volume = {
        "name": "progress-token",
        "projected": {"sources": [{"serviceAccountToken": token}]},
    }
    return Mount(volume, directory)


def shared_memory(size: str) -> Mount:
    """A /dev/shm of its own size: the container runtime's 64 MiB starve data loaders."""
    volume = {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": size}}
    return Mount(volume, "/dev/shm", read_only=False)  # noqa: S108 - a volume of the pod's own


def build(parts: JobParts) -> dict[str, Any]:
    """The manifest of a Job."""
    spec: dict[str, Any] = {
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": CONTAINER_NAME,
                        "operator": "In",
                        "values": list(EXIT_CODES_THAT_END_THE_JOB),
                    },
                },
            ]
        },
        "template": template(parts),
    }
    if parts.deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = parts.deadline_seconds
    if parts.ttl_seconds is not None:
        spec["ttlSecondsAfterFinished"] = parts.ttl_seconds
    queue = {QUEUE_LABEL: parts.queue} if parts.queue else {}
    if queue:
        spec["suspend"] = True  # until Kueue admits it
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata_of(parts, queue),
        "spec": spec,
    }


def metadata_of(parts: JobParts, more_labels: dict[str, str]) -> dict[str, Any]:
    """The metadata of a Job, or of what else an object of ours owns."""
    metadata = parts.owner.metadata
    return {
        "name": parts.name
        or job_name(metadata.name, metadata.uid, parts.role, parts.variant, parts.attempt),
        "namespace": metadata.namespace,
        "labels": _labels(parts) | more_labels,
        "annotations": {OWNER_NAME_ANNOTATION: metadata.name},
        "ownerReferences": [_owner_reference(parts.owner)],
    }


def template(parts: JobParts) -> dict[str, Any]:
    """The pod, as a Job or a Deployment has it."""
    owner = {OWNER_NAME_ANNOTATION: parts.owner.metadata.name}
    return {
        "metadata": {
            "labels": parts.pods.labels | _labels(parts),
            "annotations": parts.pods.annotations | owner,
        },
        "spec": _pod_spec(parts),
    }


def _labels(parts: JobParts) -> dict[str, str]:
    labels = {
        MANAGED_BY_LABEL: MANAGED_BY,
        OWNER_UID_LABEL: parts.owner.metadata.uid,
        OWNER_KIND_LABEL: parts.owner.KIND,
        ROLE_LABEL: str(parts.role),
        ATTEMPT_LABEL: str(parts.attempt),
        TASK_VERSION_LABEL: str(parts.task.task_version),
    }
    return labels | {VARIANT_LABEL: parts.variant} if parts.variant else labels


def _owner_reference(owner: CustomResource) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": owner.KIND,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        # True would ask for the right to set finalizers on the owner.
        "blockOwnerDeletion": False,
    }


def _pod_spec(parts: JobParts) -> dict[str, Any]:
    pods = parts.pods
    scratch = Mount(
        {"name": "scratch", "emptyDir": {"sizeLimit": parts.scratch_size}},
        SCRATCH_DIRECTORY,
        read_only=False,
    )
    mounts = [*parts.mounts, scratch]
    spec: dict[str, Any] = {
        **pods.placement,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": parts.grace_seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(pods),
        "containers": [_container(parts, mounts)],
        "volumes": [mount.volume for mount in mounts],
    }
    if pods.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in pods.image_pull_secrets]
    return spec


def _container(parts: JobParts, mounts: Sequence[Mount]) -> dict[str, Any]:
    return {
        "name": CONTAINER_NAME,
        "image": parts.image,
        "imagePullPolicy": parts.pods.image_pull_policy,
        "command": [parts.entry_point],
        "env": [
            {"name": TASK_VARIABLE, "value": to_environment(parts.task)},
            {
                "name": POD_UID_VARIABLE,
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}},
            },
            {"name": "HOME", "value": SCRATCH_DIRECTORY},
            {"name": "TMPDIR", "value": SCRATCH_DIRECTORY},
        ],
        "resources": parts.resources,
        "securityContext": container_security(),
        "terminationMessagePath": TERMINATION_MESSAGE_FILE,
        "terminationMessagePolicy": "File",
        "volumeMounts": [mount.volume_mount for mount in mounts],
    }


def _claim(name: str, claim_name: str, path: str, *, read_only: bool) -> Mount:
    # The claim itself is not attached read-only: other pods of the same node may write to it.
    volume = {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}
    return Mount(volume, path, read_only=read_only)
