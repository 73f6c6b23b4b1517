"""`sealyard lineage` and `sealyard annotations preview`, out of volumes in the cluster."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealyard.annotations.lineage import LINEAGE_FILE, lineage_bytes, used_annotations
from sealyard.annotations.snapshot import divide
from sealyard.api.annotation_route import AnnotationRoute
from sealyard.api.kind import API_VERSION
from sealyard.core.jobs import router_name
from sealyard_local.cluster import Cluster
from support.builders import a_model_release
from support.filed_annotations import Filed, a_picture, a_record
from support.operator import Kubectl
from support.pods import finished, volume_pod
from support.routes import a_route
from support.specs import DIGEST
from support.training import run_manifest

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

SEALYARD = Path(sys.executable).with_name("sealyard")
SECURITY = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}


def claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }


def of_kind(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def sealyard(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    return subprocess.run(
        [SEALYARD, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def fill(cluster: Cluster, namespace: str, claim_name: str, files: dict[str, bytes]) -> None:
    """Write files to a claim, as a pod of ours would have."""
    commands = []
    for path, content in files.items():
        octal = "".join(f"\\{byte:03o}" for byte in content)
        folder = Path("/files", path).parent
        commands.append(f"mkdir -p {folder} && printf '{octal}' > /files/{path}")
    volume = {"/files": {"persistentVolumeClaim": {"claimName": claim_name}}}
    cluster.apply(volume_pod(namespace, " && ".join(commands), volume, securityContext=SECURITY))
    finished(cluster, namespace)


def patch_status(kubectl: Kubectl, kind: str, name: str, **status: Any) -> None:
    """As the operator does."""
    patch = json.dumps({"status": status})
    kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def filed() -> Filed:
    storage = Filed()
    there = (
        a_record(n, f"item-{n}", picture=storage.picture(a_picture(n, side=8)), has_bytes=True)
        for n in range(6)
    )
    storage.file(*there, a_record(6, None, "rejected", reason="not JSON", annotator=None))
    return storage


def test_a_release_leads_back_to_its_annotations(
    cluster: Cluster, namespace: str, kubectl: Kubectl, filed: Filed
) -> None:
    kept = lineage_bytes(used_annotations(divide(filed.fold.state.validated, 40)))
    run = run_manifest("coins")
    run["spec"]["dataset"] = {"annotationRouteRef": {"name": "shop"}}
    release = of_kind("ModelRelease", "coins-1.0.0", a_model_release().document["spec"])
    kubectl.apply(
        claim("work"),
        run,
        {**release, "apiVersion": "sealyard.io/v1alpha1", "kind": "ModelRelease"},
    )
    done = sealyard(cluster, "lineage", "coins-1.0.0", "--namespace", namespace)
    assert done.returncode == 66
    assert "what it comes from is known once a variant is exported" in done.stderr

    path = f"runs/coins/{LINEAGE_FILE}"
    fill(cluster, namespace, "work", {path: kept})
    digest = hashlib.sha256(kept).hexdigest()
    artifact = {"name": LINEAGE_FILE, "path": path, "sha256": digest, "sizeBytes": len(kept)}
    dataset = {"digest": DIGEST, "images": 6, "annotations": {"sha256": digest, "items": 6}}
    storage = {"persistentVolumeClaim": {"claimName": "annotations"}}
    pinned = {"route": "shop", "routeUid": "u", "offset": 7, "validationPercent": 40}
    patch_status(
        kubectl,
        "trainingrun",
        "coins",
        phase="Succeeded",
        image="sealyard/trainer:test",
        artifacts=[artifact],
        dataset=dataset,
        snapshot=pinned | {"storage": storage},
    )
    uid = kubectl.get("trainingrun", "coins")["metadata"]["uid"]
    lineage = {"trainingRun": "coins", "trainingRunUid": uid, "datasetDigest": DIGEST}
    patch_status(kubectl, "modelrelease", "coins-1.0.0", phase="Released", lineage=lineage)

    done = sealyard(
        cluster, "lineage", "coins-1.0.0", "--namespace", namespace, "--annotations", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["source"]["offset"] == 7
    assert document["items"] == [{"annotator": "ada@example.test", "role": "Validator", "items": 6}]
    assert [one["id"] for one in document["annotations"]] == [f"item-{n}" for n in range(6)]
    selector = "--selector=app.kubernetes.io/name=sealyard-report"
    assert kubectl.get("pods", "", selector)["items"] == []


def test_a_sheet_of_a_route(
    cluster: Cluster, namespace: str, kubectl: Kubectl, filed: Filed, tmp_path: Path
) -> None:
    route = of_kind("AnnotationRoute", "shop", a_route().document["spec"])
    kubectl.apply(claim("annotations"), route)
    found = AnnotationRoute.from_wire(kubectl.get("annotationroute", "shop"))
    container = {"name": "main", "image": "sealyard/router:test"}
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": router_name(found)},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"a": "router"}},
                "template": {
                    "metadata": {"labels": {"a": "router"}},
                    "spec": {"containers": [container]},
                },
            },
        }
    )
    fill(
        cluster,
        namespace,
        "annotations",
        {f"coins/{key}": content for key, content in filed.files.items()},
    )
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    page = tmp_path / "shop.html"
    done = sealyard(
        cluster,
        *("annotations", "preview", "shop", "--namespace", namespace, "--output", str(page)),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{page}\n", "")
    html = page.read_text()
    assert "6 of 6, the newest first" in html
    assert "not JSON" in html
