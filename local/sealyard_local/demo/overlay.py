"""The quickstart as it is, but for the two addresses that differ from cluster to cluster.

The embedded cluster has no Service network, so the stores listen on ports of this machine. A
kustomize overlay says so, as a user would for a cluster of theirs.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
QUICKSTART = REPOSITORY / "examples" / "quickstart"
NAMESPACE = "coins"


def write_overlay(
    directory: Path, *, api_url: str, cdn_endpoint: str, namespace: str = NAMESPACE
) -> Path:
    """Writes a kustomization over the quickstart; gives its folder, for `kubectl apply -k`."""
    directory.mkdir(parents=True, exist_ok=True)
    addresses = [
        {"op": "replace", "path": "/spec/api/url", "value": api_url},
        {"op": "replace", "path": "/spec/cdn/endpoint", "value": cdn_endpoint},
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [os.path.relpath(QUICKSTART, directory)],
        "patches": [
            {"target": {"kind": "ReleaseTarget"}, "patch": yaml.safe_dump(addresses)},
        ],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return directory
