"""Manifests for a run without a cluster, and containers that end as a test wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from sealyard.api.mounts import TASK_VARIABLE
from sealyard.laptop.container import Ended

API = "sealyard.io/v1alpha1"
METRICS = {"map50": 0.9, "map50_95": 0.6, "precision": 0.8, "recall": 0.7}


def a_run(name: str = "coins", **hyperparameters: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {
            "model": {"architecture": "yolo11n.yaml", "scale": {"width": 0.5}},
            "dataset": {"persistentVolumeClaim": {"claimName": "pictures", "path": "coins"}},
            "hyperparameters": {"epochs": 3, "imageSize": 64, "batch": 8} | hyperparameters,
            "workspace": {"persistentVolumeClaim": {"claimName": "workspace"}},
        },
    }


def a_release(name: str = "coins-1.0.0", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "ModelRelease",
        "metadata": {"name": name},
        "spec": {
            "model": "coins",
            "version": "1.0.0",
            "source": {"trainingRunRef": {"name": "coins"}},
            "variants": [{"name": "onnx-fp32", "format": "onnx", "precision": "fp32"}],
            "targetRef": {"name": "stores"},
        }
        | spec,
    }


def texts(*documents: dict[str, Any]) -> list[tuple[str, str]]:
    return [("coins.yaml", yaml.safe_dump_all(documents))]


def task(job: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (text,) = (one["value"] for one in container["env"] if one["name"] == TASK_VARIABLE)
    found: dict[str, Any] = json.loads(text)
    return found


def trained(job: Mapping[str, Any]) -> Ended:
    """A training that went well."""
    checkpoint = {
        "name": "best.pt",
        "path": f"{task(job)['runPath']}/best.pt",
        "sha256": "a" * 64,
        "sizeBytes": 10,
    }
    return done(
        {
            "epochs": 3,
            "metrics": METRICS,
            "dataset": {"digest": "d" * 64, "images": 10},
            "artifacts": [checkpoint],
        }
    )


def exported(job: Mapping[str, Any]) -> Ended:
    """An export that went well."""
    return done(
        {
            "variant": task(job)["variant"]["name"],
            "path": f"{task(job)['releasePath']}/model.onnx",
            "sha256": "e" * 64,
            "sizeBytes": 20,
            "maxDifference": 1e-6,
            "metrics": METRICS,
        }
    )


def done(result: dict[str, Any]) -> Ended:
    return Ended(0, json.dumps({"message": "done", "result": result}))


def failed(code: int, message: str = "why it failed") -> Ended:
    return Ended(code, json.dumps({"message": message}))
