"""A pod that reads something for a user, prints it, and ends.

The operator has no part in it: the user's own rights create the pod, read its log and delete it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealyard.api.kind import ObjectMeta
from sealyard.api.mounts import CONTAINER_NAME
from sealyard.core.jobs.pod import Mount
from sealyard.core.pod_security import container_security, pod_security
from sealyard.core.settings import PodSettings

DEADLINE_SECONDS = 300
"""After which Kubernetes ends the pod, should nobody be there any more to delete it."""
APP_LABEL = "app.kubernetes.io/name"
APP = "sealyard-report"
"""Not the label of what the operator manages: it neither watches nor judges such a pod."""


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
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner.name[:40].replace('.', '-')}-{what}-{suffix}",
            "namespace": owner.namespace,
            "labels": {APP_LABEL: APP},
        },
        "spec": {
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
