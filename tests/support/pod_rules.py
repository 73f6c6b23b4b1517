"""Rules that the pods of all workloads keep: from a pod's spec and its only container to a bool."""

from __future__ import annotations

from typing import Any

ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}

RESTRICTED: dict[str, Any] = {
    "no host namespaces": lambda pod, _: not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"},
    "volume types": lambda pod, _: all(
        v.keys() - {"name"} <= ALLOWED_VOLUMES for v in pod["volumes"]
    ),
    "no privilege escalation": lambda _, c: (
        c["securityContext"]["allowPrivilegeEscalation"] is False
    ),
    "non-root": lambda pod, _: pod["securityContext"]["runAsNonRoot"] is True,
    "a user that is not 0": lambda pod, _: pod["securityContext"]["runAsUser"] > 0,
    "seccomp": lambda pod, _: (
        pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    ),
    "no capabilities": lambda _, c: c["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "not privileged": lambda _, c: "privileged" not in c["securityContext"],
    "no host ports": lambda _, c: all("hostPort" not in port for port in c.get("ports", [])),
    "no lifecycle or probe elsewhere": lambda _, c: (
        "lifecycle" not in c
        and all(
            "host" not in c[probe]["httpGet"]
            for probe in ("livenessProbe", "readinessProbe")
            if probe in c
        )
    ),
}
"""Pod Security `restricted`."""
OURS: dict[str, Any] = {
    "read-only root": lambda _, c: c["securityContext"]["readOnlyRootFilesystem"] is True,
    "no account token": lambda pod, _: pod["automountServiceAccountToken"] is False,
    "no service links": lambda pod, _: pod["enableServiceLinks"] is False,
    "groups": lambda pod, _: (
        {pod["securityContext"][k] for k in ("runAsGroup", "fsGroup")} == {65532}
    ),
    "pull secrets": lambda pod, _: pod["imagePullSecrets"] == [{"name": "pull"}],
    "answers by file": lambda _, c: c["terminationMessagePolicy"] == "File",
    "is main": lambda _, c: c["name"] == "main",
    "bounded memory": lambda _, c: "memory" in c["resources"]["limits"],
    "bounded scratch": lambda pod, _: all(
        "sizeLimit" in v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v
    ),
}
"""What every pod of ours has beside that."""
NEVER_RESTARTED: dict[str, Any] = {
    "never restarted": lambda pod, _: pod["restartPolicy"] == "Never",
    "asked for nothing": lambda _, c: not c.keys() & {"ports", "livenessProbe", "readinessProbe"},
}
"""What every pod of a Job has."""
