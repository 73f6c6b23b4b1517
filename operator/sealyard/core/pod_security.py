"""What Pod Security `restricted` asks of every pod of ours, and a little more."""

from __future__ import annotations

from typing import Any

from sealyard.core.settings import PodSettings


def pod_security(pods: PodSettings) -> dict[str, Any]:
    """The security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": pods.run_as_user,
        "runAsGroup": pods.run_as_group,
        "fsGroup": pods.fs_group,
        # A workspace with many files would otherwise be walked at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The security context of a container, whose root nothing is written to."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
