"""Specs of our kinds that are right, and results of Jobs that went well, in their wire forms."""

from __future__ import annotations

from typing import Any

from sealyard.api.probe import Check

DIGEST = "0123456789abcdef" * 4

RUN_SPEC: dict[str, Any] = {
    "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.125}},
    "dataset": {"persistentVolumeClaim": {"claimName": "dataset", "path": "coins"}},
    "hyperparameters": {"epochs": 16, "imageSize": 128, "extra": {"lr0": 0.002}},
    "workspace": {"persistentVolumeClaim": {"claimName": "workspace", "path": "runs"}},
}

S3_DATASET: dict[str, Any] = {
    "uri": "s3://datasets/vision/coins/",
    "endpoint": "https://s3.storage.svc:8333",
    "credentialsSecretRef": {"name": "dataset-reader"},
    "caBundleRef": {"name": "storage-ca"},
}
"""In the place of a dataset's claim."""

S3_WORKSPACE: dict[str, Any] = {
    "uri": "s3://runs/vision",
    "endpoint": "https://s3.storage.svc:8333",
    "credentialsSecretRef": {"name": "workspace-writer"},
    "caBundleRef": {"name": "storage-ca"},
    "cacheSize": "20Gi",
}
"""In the place of a workspace's claim."""

RELEASE_SPEC: dict[str, Any] = {
    "model": "coins",
    "version": "1.0.0",
    "source": {"trainingRunRef": {"name": "coins"}},
    "variants": [{"name": "onnx-fp32", "format": "onnx", "precision": "fp32"}],
    "targetRef": {"name": "stores"},
}

TARGET_SPEC: dict[str, Any] = {
    "api": {
        "url": "https://api.stores.svc:8443",
        "publisherSecretRef": {"name": "publisher"},
        "verifierSecretRef": {"name": "verifier"},
        "caBundleRef": {"name": "stores-ca"},
    },
    "cdn": {
        "endpoint": "https://cdn.stores.svc:8333",
        "bucket": "models",
        "writeSecretRef": {"name": "cdn-write"},
        "readSecretRef": {"name": "cdn-read"},
        "caBundleRef": {"name": "stores-ca"},
    },
    "keyringSecretRef": {"name": "keyring"},
}

TRAIN_RESULT: dict[str, Any] = {
    "epochs": 16,
    "metrics": {"map50": 0.981, "map50_95": 0.861},
    "dataset": {"digest": DIGEST, "images": 200},
    "artifacts": [
        {"name": "best.pt", "path": "runs/coins-1/best.pt", "sha256": DIGEST, "sizeBytes": 400}
    ],
}

TRUST: dict[str, Any] = {
    "rootConfigMapRef": {"name": "root"},
    "releaseKeySecretRef": {"name": "release-key"},
    "freshnessKeySecretRef": {"name": "freshness-key"},
}

PROBE_RESULT: dict[str, Any] = {
    "generation": 1,
    "refusesOverwriting": True,
    "checks": [{"name": check.value, "result": "Passed"} for check in Check],
}


def merge(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7386), as the API server applies a plan's status."""
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        elif isinstance(value, dict):
            merged[key] = merge({}, value)
        else:
            merged[key] = value
    return merged
