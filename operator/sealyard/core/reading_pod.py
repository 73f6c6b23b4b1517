"""A pod that reads something for a user, prints it, and ends.

The operator has no part in it: the user's own rights create the pod, read its log and delete it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sealyard.api.compute_profile import ComputeProfile
from sealyard.api.kind import ObjectMeta
from sealyard.api.mounts import CONTAINER_NAME
from sealyard.core.compute import pods_of
from sealyard.core.jobs.pod import Mount
from sealyard.core.pod_security import container_security, pod_security
from sealyard.core.settings import PodSettings

DEADLINE_SECONDS = 300
"""After which Kubernetes ends the pod, should nobody be there any more to delete it."""
APP_LABEL = "app.kubernetes.io/name"
APP = "sealyard-report"
"""Not the label of what the operator manages: it neither watches nor judges such a pod."""
_FOR_WORK = {"priorityClassName", "runtimeClassName"}
"""What a profile gives to a pod that uses a GPU: who prints a file must not push others aside."""


def reading_settings(profile: ComputeProfile | None) -> PodSettings:
    """What lets a pod pull the image that a profile's pods run, and go to where they go."""
    if profile is None:
        return PodSettings()
    pods = pods_of(profile, PodSettings())
    placement = {name: value for name, value in pods.placement.items() if name not in _FOR_WORK}
    return replace(pods, placement=placement)


def reading_pod(
    owner: ObjectMeta,
    what: str,
    suffix: str,
    pods: PodSettings,
    *,
    image: str,
    arguments: Sequence[str],
    mounts: Sequence[Mount],
    memory: str,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest of the pod.

    Args:
        owner: of whose namespace and name it is; it belongs to nobody.
        what: it reads; part of its name.
        suffix: of its name, so that two users are in nobody's way.
        pods: what every pod gets.
        image: has the program.
        arguments: the program's module, and what it is told.
        mounts: what it reads.
        memory: the most that it may use.
        environment: what else it is told.
    """
    has_claim = any("persistentVolumeClaim" in mount.volume for mount in mounts)
    container = {
        "name": CONTAINER_NAME,
        "image": image,
        "imagePullPolicy": pods.image_pull_policy,
        "command": ["python", "-I", "-m", *arguments],
        "resources": {
            "requests": {"cpu": "50m", "memory": memory},
            "limits": {"memory": memory},
        },
        "securityContext": container_security(),
        # What the program says when it fails.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount.volume_mount for mount in mounts],
    }
    if environment:
        container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    pulling = [{"name": name} for name in pods.image_pull_secrets]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner.name[:40].replace('.', '-')}-{what}-{suffix}",
            "namespace": owner.namespace,
            "labels": pods.labels | {APP_LABEL: APP},
            **({"annotations": pods.annotations} if pods.annotations else {}),
        },
        "spec": {
            **pods.placement,
            **({"imagePullSecrets": pulling} if pulling else {}),
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": _reading(pods) if has_claim else pod_security(pods),
            "containers": [container],
            "volumes": [mount.volume for mount in mounts],
        },
    }


def _reading(pods: PodSettings) -> dict[str, Any]:
    """With the group that the volume's files belong to, and without giving them to it anew: the
    kubelet would do that beneath somebody who writes.
    """
    security = pod_security(pods)
    group = security.pop("fsGroup")
    del security["fsGroupChangePolicy"]
    return security | {"supplementalGroups": [group]}
