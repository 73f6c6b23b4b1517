"""The objects in some manifests, once nothing of them would be refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sealyard.api.kind import API_VERSION
from sealyard.api.model_release import ModelRelease
from sealyard.api.release_target import ReleaseTarget
from sealyard.api.training_run import TrainingRun
from sealyard.errors import InvalidError
from sealyard.laptop.objects import USED
from sealyard.lint.documents import read_documents
from sealyard.lint.lint import lint

NOWHERE = "https://nowhere.invalid"


def read(texts: Iterable[tuple[str, str]], now: datetime) -> list[dict[str, Any]]:
    """The objects that a run without a cluster is about.

    Args:
        texts: name and content of each file.
        now: when they would be applied.

    Raises:
        InvalidError: the API server or the operator would refuse one, or there is none to run.
    """
    texts = list(texts)
    findings = [finding for report in lint(texts, now) for finding in report.findings]
    if findings:
        more = f"; `sealyard lint` names {len(findings) - 1} more" if len(findings) > 1 else ""
        raise InvalidError(f"{findings[0]}{more}")
    documents = [
        document.value
        for name, text in texts
        for document in read_documents(name, text)
        if document.value.get("apiVersion") == API_VERSION and document.value["kind"] in USED
    ]
    for one in documents:
        field = _of_a_cluster(one["spec"]) if one["kind"] == TrainingRun.KIND else None
        if field is not None:
            raise InvalidError(
                f"TrainingRun {one['metadata']['name']}: {field} is for a cluster; "
                "without one a persistentVolumeClaim is wanted, which is a folder here"
            )
    if not any(one["kind"] in USED[:2] for one in documents):
        raise InvalidError("there is no TrainingRun and no ModelRelease in these files")
    return [*documents, *_targets(documents)]


def _of_a_cluster(spec: dict[str, Any]) -> str | None:
    """What a TrainingRun names that nothing stands for here."""
    if "s3" in spec["workspace"]:
        return "spec.workspace.s3"
    # A route is filed by a router, and its operator says how far that is.
    if "annotationRouteRef" in spec["dataset"]:
        return "spec.dataset.annotationRouteRef"
    return None


def _targets(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Targets that releases name and nobody gave: only their limits count, and these are usual."""
    there = {one["metadata"]["name"] for one in documents if one["kind"] == ReleaseTarget.KIND}
    named = {
        one["spec"]["targetRef"]["name"] for one in documents if one["kind"] == ModelRelease.KIND
    }
    secret = {"name": "not-used"}
    spec = {
        "api": {"url": NOWHERE, "publisherSecretRef": secret, "verifierSecretRef": secret},
        "cdn": {
            "endpoint": NOWHERE,
            "region": "nowhere",
            "bucket": "nowhere",
            "writeSecretRef": secret,
            "readSecretRef": secret,
        },
        "keyringSecretRef": secret,
    }
    return [
        {"kind": ReleaseTarget.KIND, "metadata": {"name": name}, "spec": spec}
        for name in sorted(named - there)
    ]
