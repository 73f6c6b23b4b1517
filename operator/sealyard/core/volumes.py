"""Volumes of pods that a Secret or a ConfigMap fills: the keys that are wanted, and no other.

Optional, all of them, so that a program can start and say itself which key is missing.
"""

from __future__ import annotations

from typing import Any

from sealyard.api.mounts import CA_KEY
from sealyard.api.secrets import SECRET_USES, Purpose

READABLE_BY_GROUP = 0o440
"""The pod's fsGroup owns mounted Secrets; nobody else in it needs to read them."""


def secret_volume(name: str, purpose: Purpose, secret_name: str) -> dict[str, Any]:
    """The keys of one purpose."""
    return {
        "name": name,
        "secret": {
            "secretName": secret_name,
            "items": [{"key": key, "path": key} for key in SECRET_USES[purpose].keys],
            "defaultMode": READABLE_BY_GROUP,
            "optional": True,
        },
    }


def ca_volume(name: str, config_map_name: str) -> dict[str, Any]:
    """The bundle that a remote's certificate must verify against."""
    return {
        "name": name,
        "configMap": {
            "name": config_map_name,
            "items": [{"key": CA_KEY, "path": CA_KEY}],
            "optional": True,
        },
    }
