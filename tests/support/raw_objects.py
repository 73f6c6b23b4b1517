"""Objects as the API server sends them."""

from __future__ import annotations

from typing import Any

from sealyard.api.kind import (
    API_VERSION,
    ATTEMPT_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    ROLE_LABEL,
    VARIANT_LABEL,
)
from sealyard.controller.kubernetes_api import Document
from support.fleet_builders import device_keys

TIME = "2026-11-23T10:00:00Z"


def metadata(name: str, uid: str, version: int, **more: Any) -> Document:
    return {
        "name": name,
        "namespace": "ns",
        "uid": uid,
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": TIME,
        **more,
    }


def raw_run(name: str = "run", uid: str = "run-1", version: int = 1, **more: Any) -> Document:
    claim = {"claimName": more.pop("dataset", "data")}
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": metadata(name, uid, version, managedFields=[{"manager": "kubectl"}]),
        "spec": {
            "model": {"architecture": "yolo11n.yaml"},
            "dataset": {"persistentVolumeClaim": claim},
            "workspace": {"persistentVolumeClaim": {"claimName": more.pop("workspace", "work")}},
        },
        "status": more.pop("status", {}),
    }


def raw_release(
    name: str = "release",
    uid: str = "release-1",
    version: int = 1,
    *,
    run: str = "run",
    target: str = "target",
    number: str = "1.0.0",
) -> Document:
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelRelease",
        "metadata": metadata(name, uid, version),
        "spec": {
            "model": "coins",
            "version": number,
            "source": {"trainingRunRef": {"name": run}},
            "variants": [{"name": "onnx", "format": "onnx", "precision": "fp32"}],
            "targetRef": {"name": target},
        },
    }


def raw_target(
    name: str = "target", uid: str = "target-1", version: int = 1, **more: Any
) -> Document:
    secret = {"name": "secret"}
    return {
        "apiVersion": API_VERSION,
        "kind": "ReleaseTarget",
        "metadata": metadata(name, uid, version),
        "spec": {
            "api": {
                "url": "https://api.test",
                "publisherSecretRef": secret,
                "verifierSecretRef": secret,
            },
            "cdn": {
                "endpoint": "https://cdn.test",
                "bucket": "models",
                "writeSecretRef": secret,
                "readSecretRef": secret,
            },
            "keyringSecretRef": secret,
            **more.pop("spec", {}),
        },
        "status": more.pop("status", {}),
    }


def raw_channel(
    name: str = "stable", uid: str = "channel-1", version: int = 1, **more: Any
) -> Document:
    return {
        "apiVersion": API_VERSION,
        "kind": "ReleaseChannel",
        "metadata": metadata(name, uid, version),
        "spec": {
            "model": "coins",
            "channel": "stable",
            "version": more.pop("wanted", "^1"),
            "targetRef": {"name": "target"},
        },
        "status": more.pop("status", {}),
    }


def raw_device(
    name: str = "dev", uid: str = "device-1", version: int = 1, *, number: int = 1, **more: Any
) -> Document:
    return {
        "apiVersion": API_VERSION,
        "kind": "Device",
        "metadata": metadata(name, uid, version),
        "status": more.pop("status", {}),
        "spec": {
            **device_keys(number),
            "level": "tpm2",
            "models": ["coins"],
            "targetRef": {"name": "target"},
            **more,
        },
    }


def raw_profile(
    name: str = "gpu", uid: str = "profile-1", version: int = 1, **spec: Any
) -> Document:
    raw = {
        "apiVersion": API_VERSION,
        "kind": "ComputeProfile",
        "metadata": metadata(name, uid, version),
        "spec": spec,
    }
    del raw["metadata"]["namespace"]
    return raw


def raw_claim(name: str = "data", uid: str = "claim-1", version: int = 1) -> Document:
    return {
        "metadata": metadata(name, uid, version),
        "spec": {"accessModes": ["ReadWriteOnce"]},
        "status": {"phase": "Bound"},
    }


def owner_reference(kind: str, name: str, uid: str) -> Document:
    api_version = "batch/v1" if kind == "Job" else API_VERSION
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def raw_job(
    name: str = "run-train-1",
    uid: str = "job-1",
    version: int = 1,
    *,
    owner: tuple[str, str, str] | None = ("TrainingRun", "run", "run-1"),
    role: str = "train",
    variant: str = "",
    attempt: int = 1,
    conditions: tuple[Document, ...] = (),
    **more: Any,
) -> Document:
    labels = {MANAGED_BY_LABEL: MANAGED_BY, ROLE_LABEL: role, ATTEMPT_LABEL: str(attempt)}
    if variant:
        labels[VARIANT_LABEL] = variant
    references = {"ownerReferences": [owner_reference(*owner)]} if owner else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(name, uid, version, labels=labels, **references, **more),
        "spec": {},
        "status": {"conditions": list(conditions)},
    }


def raw_pod(
    name: str = "run-train-1-x",
    uid: str = "pod-1",
    version: int = 1,
    *,
    job_uid: str = "job-1",
    status: Document | None = None,
    created: str = TIME,
) -> Document:
    owner = owner_reference("Job", "run-train-1", job_uid)
    return {
        "metadata": metadata(name, uid, version, ownerReferences=[owner])
        | {"creationTimestamp": created},
        "spec": {"nodeName": "node-1"},
        "status": status or {"phase": "Running"},
    }
