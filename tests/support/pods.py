"""Manifests of small pods and Jobs that run a shell on the embedded cluster."""

from __future__ import annotations

import json
from typing import Any

from sealyard_local.cluster import Cluster
from support.embedded_cluster import until

IMAGE = "sealyard/test:1"


def pod(
    namespace: str,
    command: list[str],
    *,
    name: str = "task",
    container: dict[str, Any] | None = None,
    **spec: Any,
) -> str:
    """A Pod that runs a command once; `container` and `spec` add to what it says."""
    main = {"name": "main", "image": IMAGE, "command": command, **(container or {})}
    body = {"restartPolicy": "Never", "containers": [main], **spec}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": body,
        }
    )


def volume_pod(namespace: str, script: str, volumes: dict[str, dict[str, Any]], **more: Any) -> str:
    """A Pod that runs a shell script with each volume mounted at its path."""
    named = {path: f"volume-{number}" for number, path in enumerate(volumes)}
    mounts = [{"name": name, "mountPath": path} for path, name in named.items()]
    return pod(
        namespace,
        ["sh", "-c", script],
        container={"volumeMounts": mounts},
        volumes=[{"name": named[path], **source} for path, source in volumes.items()],
        **more,
    )


def job(namespace: str, script: str, **spec: Any) -> str:
    """A Job named `task` that runs a shell script."""
    template = json.loads(pod(namespace, ["sh", "-c", script]))["spec"]
    return json.dumps(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "task", "namespace": namespace},
            "spec": {"backoffLimit": 0, "template": {"spec": template}, **spec},
        }
    )


def wait_for_job(cluster: Cluster, namespace: str, name: str = "task") -> str:
    """Waits until a Job is Complete or Failed, and says which."""

    def ended() -> str | None:
        shown = json.loads(cluster.kubectl("get", "-n", namespace, f"job/{name}", "-o", "json"))
        for condition in shown["status"].get("conditions", []):
            if condition["status"] == "True" and condition["type"] in {"Complete", "Failed"}:
                return str(condition["type"])
        return None

    return str(until(ended, what=f"job {name} to end"))


def finished(cluster: Cluster, namespace: str, name: str = "task") -> str:
    """The log of a pod that has ended well."""

    def phase() -> str | None:
        shown = cluster.kubectl("get", "-n", namespace, f"pod/{name}", "-o", "json")
        now: str = json.loads(shown)["status"].get("phase", "")
        return now if now in {"Succeeded", "Failed"} else None

    ended = until(phase, what=f"pod {name} to end")
    log = cluster.kubectl("logs", "-n", namespace, name)
    assert ended == "Succeeded", log
    return log
