"""Specs that the API server refuses, with the field and the words in which it does."""

from __future__ import annotations

from typing import Any

from support.fleet_builders import a_channel, a_device
from support.platform_refusals import OF_THE_PLATFORM
from support.profiles import PROFILE_SPEC
from support.routes import ROUTE_SPEC
from support.specs import RELEASE_SPEC, RUN_SPEC, S3_DATASET, S3_WORKSPACE, TARGET_SPEC, TRUST

SPECS = {
    "TrainingRun": RUN_SPEC,
    "ModelRelease": RELEASE_SPEC,
    "ReleaseTarget": TARGET_SPEC,
    "ReleaseChannel": a_channel().document["spec"],
    "Device": a_device(1, "stable").document["spec"],
    "ComputeProfile": PROFILE_SPEC,
    "AnnotationRoute": ROUTE_SPEC,
}
"""Those that it takes."""


RTX = {"name": "edge", "format": "tensorrt-rtx", "precision": "fp16"}
"""A variant, but for the GPU that it is for."""

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "TrainingRun",
        {"model": {"architecture": "YOLO"}},
        "spec.model.architecture",
        "must be the file name of an architecture: yolo11n.yaml, say",
    ),
    *(
        (
            "TrainingRun",
            {"model": {"weights": weights}},
            "spec.model.weights",
            "must have either a trainingRunRef or a persistentVolumeClaim",
        )
        for claim in ({"claimName": "work", "path": "best.pt", "sha256": "0" * 64},)
        for weights in (
            {},
            {"trainingRunRef": {"name": "base"}, "persistentVolumeClaim": claim},
        )
    ),
    (
        "TrainingRun",
        {"hyperparameters": {"epochs": 0}},
        "spec.hyperparameters.epochs",
        "should be greater than or equal to 1",
    ),
    (
        "TrainingRun",
        {"hyperparameters": {"imageSize": 100}},
        "spec.hyperparameters.imageSize",
        "should be a multiple of 32",
    ),
    (
        "TrainingRun",
        {"hyperparameters": {"optimizer": "Best"}},
        "spec.hyperparameters.optimizer",
        'supported values: "auto", "SGD", "Adam"',
    ),
    (
        "TrainingRun",
        {"hyperparameters": {"extra": ["lr0"]}},
        "spec.hyperparameters.extra",
        "expected map",
    ),
    (
        "TrainingRun",
        {"workspace": {"persistentVolumeClaim": {"path": "../elsewhere"}}},
        "spec.workspace.persistentVolumeClaim.path",
        "must be a path like folder/file",
    ),
    (
        "TrainingRun",
        {"compute": {"memory": "4 GB"}},
        "spec.compute.memory",
        'must be a quantity in quotes: "500m", "2" or "4Gi"',
    ),
    ("TrainingRun", {"dataset": None}, "spec.dataset", "Required value"),
    *(
        (
            "TrainingRun",
            {"dataset": dataset},
            "spec.dataset",
            "must have exactly one of persistentVolumeClaim, s3 and annotationRouteRef",
        )
        for dataset in (
            {"persistentVolumeClaim": None},
            {"s3": S3_DATASET},
            {"annotationRouteRef": {"name": "shop"}},
        )
    ),
    *(
        (
            "TrainingRun",
            {"dataset": {"persistentVolumeClaim": None, "s3": {**S3_DATASET, **change}}},
            f"spec.dataset.s3.{next(iter(change))}",
            said,
        )
        for change, said in (
            ({"uri": "https://datasets/coins"}, "must be s3://bucket/folder"),
            ({"uri": "s3://datasets/../x"}, "must be s3://bucket/folder"),
            ({"endpoint": "http://s3"}, "must be https://host[:port][/path]"),
            ({"credentialsSecretRef": None}, "Required value"),
        )
    ),
    *(
        (
            "TrainingRun",
            {"workspace": workspace},
            "spec.workspace",
            "must have either a persistentVolumeClaim or an s3",
        )
        for workspace in ({"persistentVolumeClaim": None}, {"s3": S3_WORKSPACE})
    ),
    *(
        (
            "TrainingRun",
            {"workspace": {"persistentVolumeClaim": None, "s3": {**S3_WORKSPACE, **change}}},
            f"spec.workspace.s3.{next(iter(change))}",
            said,
        )
        for change, said in (
            ({"endpoint": "http://s3"}, "must be https://host[:port][/path]"),
            ({"cacheSize": "10 GB"}, "must be a quantity in quotes"),
        )
    ),
    ("TrainingRun", {"epochs": 3}, ".spec.epochs", "field not declared in schema"),
    (
        "ModelRelease",
        {"version": "1.0"},
        "spec.version",
        "must be a semantic version without build metadata: 1.2.3, or 1.2.3-rc.1",
    ),
    (
        "ModelRelease",
        {"model": "Coins"},
        "spec.model",
        "must be lower-case letters, digits and dashes",
    ),
    ("ModelRelease", {"variants": []}, "spec.variants", "should have at least 1 items"),
    *(
        (
            "ModelRelease",
            {"variants": [{"name": "edge", "precision": "fp16", **variant}]},
            "spec.variants[0]",
            message,
        )
        for variant, message in (
            (
                {"format": "tensorrt-rtx"},
                "must name platform.computeCapability with the format tensorrt-rtx",
            ),
            (
                {"format": "tensorrt-rtx", "platform": {"arch": "x86_64"}},
                "must name platform.computeCapability with the format tensorrt-rtx",
            ),
            (
                {"format": "tensorrt", "dynamic": True},
                "must not be dynamic in the format of an engine, which takes one size",
            ),
        )
    ),
    (
        "ModelRelease",
        {"variants": [{**RTX, "platform": {"computeCapability": "sm_86"}}]},
        "spec.variants[0].platform.computeCapability",
        "must be what `nvidia-smi --query-gpu=compute_cap` says",
    ),
    (
        "ModelRelease",
        {"sealing": {"format": "rot13"}},
        "spec.sealing.format",
        'supported values: "sealed-v2", "aes-256-cbc-v1"',
    ),
    (
        "ReleaseTarget",
        {"api": {"url": "http://api:8443"}},
        "spec.api.url",
        "must be https://host[:port][/path], without user information and query",
    ),
    (
        "ReleaseTarget",
        {"cdn": {"endpoint": "https://key:secret@cdn"}},
        "spec.cdn.endpoint",
        "must be https://host[:port][/path], without user information and query",
    ),
    *(
        (
            "ReleaseTarget",
            {"cdn": {"prefix": prefix}},
            "spec.cdn.prefix",
            "must be a path without slashes around it",
        )
        for prefix in ("a//b", "_a", "/a", "a/")
    ),
    (
        "ReleaseTarget",
        {"split": {"maxBytes": 100}},
        "spec.split.maxBytes",
        "should be greater than or equal to 320",
    ),
    (
        "ReleaseTarget",
        {"rewrapGeneration": -1},
        "spec.rewrapGeneration",
        "should be greater than or equal to 0",
    ),
    *(
        (
            "ReleaseTarget",
            {"probeIntervalSeconds": seconds},
            "spec.probeIntervalSeconds",
            right,
        )
        for seconds, right in (
            (59, "must be 0, or at least 60"),
            (604_801, "should be less than or equal to 604800"),
        )
    ),
    (
        "ReleaseTarget",
        {"trust": {**TRUST, "indexLifetimeSeconds": 60}},
        "spec.trust.indexLifetimeSeconds",
        "should be greater than or equal to 3600",
    ),
    (
        "ReleaseTarget",
        {"trust": {"releaseKeySecretRef": {"name": "key"}}},
        "spec.trust.rootConfigMapRef",
        "Required value",
    ),
    (
        "ModelRelease",
        {"notAfter": "2030-01-31T12:00:00z"},
        "spec.notAfter",
        "must be a time in UTC with Z, in whole seconds: 2030-01-31T12:00:00Z",
    ),
    (
        "ModelRelease",
        {"deletionPolicy": "Delete"},
        "spec.deletionPolicy",
        'supported values: "Retain", "Withdraw"',
    ),
    (
        "ReleaseChannel",
        {"version": "$(latest)"},
        "spec.version",
        "must be a version or a range as npm has them: 1.2.3, ^1.2, ~1.2.3, >=1.2 <2",
    ),
    ("ReleaseChannel", {"channel": "Stable"}, "spec.channel", "must be lower-case letters"),
    (
        "Device",
        {"deviceId": "camera-3"},
        "spec.deviceId",
        "must be 32 hexadecimal digits, as `sealyard device init` prints them",
    ),
    (
        "Device",
        {"encryptionKey": "c2hvcnQ="},
        "spec.encryptionKey",
        "must be a raw public key of 32 bytes in base64",
    ),
    ("Device", {"models": []}, "spec.models", "should have at least 1 items"),
    ("Device", {"models": ["coins", "coins"]}, "spec.models", "duplicate entries"),
    (
        "Device",
        {"level": "trusted"},
        "spec.level",
        'supported values: "fingerprint", "keystore", "tpm2", "legacy"',
    ),
    *(
        (
            "Device",
            patch,
            "spec.hardwareDigestSecretRef",
            "must be there with level legacy, and only then",
        )
        for patch in ({"level": "legacy"}, {"hardwareDigestSecretRef": {"name": "digests"}})
    ),
    *OF_THE_PLATFORM,
]
"""A kind, a merge patch of its spec above, the field, and what would be right."""
