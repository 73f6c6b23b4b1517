"""A release at each of its stages, and one look at it."""

from __future__ import annotations

from typing import Any

from sealyard.api.digests import export_sha256, job_name
from sealyard.api.secrets import Role
from sealyard.core.model_release import reconcile
from sealyard.core.observed import ModelReleaseObserved, ObservedJob
from sealyard.core.plan import Plan
from support.builders import (
    NOW,
    SETTINGS,
    ReleaseBuilder,
    a_model_release,
    a_release_target,
    a_training_run,
    at,
    time_of,
)
from support.specs import DIGEST

RUN = a_training_run().succeeded()
TARGET = a_release_target()
OBJECT = "fedcba9876543210" * 4
HOW = "; to try again, set the annotation sealyard.io/requestedAt to the current time (RFC 3339)"
DONE = {"attempt": 1, "exitCode": 0, "reason": "Done", "message": "done", "time": time_of(at(-60))}
EXPORT_RESULT = {
    "variant": "onnx-fp32",
    "path": "runs/coins-1.0.0-x/onnx-fp32/model.onnx",
    "sha256": DIGEST,
    "sizeBytes": 1_400_000,
    "maxDifference": 9e-5,
}
PUBLISH_RESULT = {
    "manifestSha256": DIGEST,
    "variants": [
        {"name": "onnx-fp32", "smallBytes": 320, "bigBytes": 1_400_100, "objectId": OBJECT}
    ],
}
VERIFY_RESULT = {"manifestSha256": DIGEST, "variants": ["onnx-fp32"]}
LINEAGE = {
    "trainingRun": "coins",
    "trainingRunUid": "run-uid",
    "datasetDigest": DIGEST,
    "image": RUN.build().status.image,
    "metrics": {"map50": 0.981, "map50_95": 0.861},
}


def name(role: Role, attempt: int = 1, variant: str = "") -> str:
    return job_name("coins-1.0.0", "release-uid", role, variant, attempt)


def plan_of(observed: ModelReleaseObserved) -> Plan:
    return reconcile(observed, SETTINGS, NOW)


def look(release: ReleaseBuilder, *jobs: ObservedJob, **others: Any) -> Plan:
    return plan_of(release.observed(*jobs, **({"run": RUN, "target": TARGET} | others)))


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "started": 1, "watched": "1 target-uid/1"} | fields


def exporting() -> ReleaseBuilder:
    return a_model_release().with_status(
        phase="Exporting",
        lineage=LINEAGE,
        workspace={"claimName": "workspace", "path": "runs"},
        tasks=[task("export-onnx-fp32")],
    )


def publishing() -> ReleaseBuilder:
    return exporting().with_status(
        phase="Publishing",
        exportSha256=export_sha256([("onnx-fp32", DIGEST, 1_400_000)]),
        target={
            "name": "stores",
            "apiUrl": "https://api.stores.svc:8443",
            "cdnEndpoint": "https://cdn.stores.svc:8333",
            "bucket": "models",
            "prefix": "sealyard",
        },
        variants=[
            {
                "name": "onnx-fp32",
                "phase": "Exported",
                "sha256": DIGEST,
                "sizeBytes": 1_400_000,
                "path": EXPORT_RESULT["path"],
                "imageSize": 128,
                "maxDifference": 9e-5,
            }
        ],
        tasks=[task("export-onnx-fp32", done=True, lastEnd=DONE), task("publish")],
    )


def verifying() -> ReleaseBuilder:
    return publishing().with_status(
        phase="Verifying",
        manifestSha256=DIGEST,
        tasks=[
            task("export-onnx-fp32", done=True, lastEnd=DONE),
            task("publish", done=True, lastEnd=DONE),
            task("verify"),
        ],
    )


def released() -> ReleaseBuilder:
    return verifying().with_status(
        phase="Released",
        tasks=[
            task("export-onnx-fp32", done=True, lastEnd=DONE),
            task("publish", done=True, lastEnd=DONE),
            task("verify", done=True, lastEnd=DONE),
        ],
    )


def failed(release: ReleaseBuilder, *tasks: dict[str, Any], at_time: float = -60) -> ReleaseBuilder:
    stalled = {
        "type": "Stalled",
        "status": "True",
        "reason": "InvalidInput",
        "message": "x",
        "lastTransitionTime": time_of(at(at_time)),
    }
    return release.with_status(phase="Failed", conditions=[stalled], tasks=list(tasks))


FAILED_END = DONE | {"exitCode": 64, "reason": "InvalidInput", "message": "it ended"}
