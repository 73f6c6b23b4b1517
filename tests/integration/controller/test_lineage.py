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
from support.dataset_store import BUCKET, dataset_store
from support.filed_annotations import Filed, a_picture, a_record
from support.operator import Kubectl, account_kubeconfig
from support.pods import finished, volume_pod
from support.routes import S3_STORAGE, a_route
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


def of_core(kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def sealyard(
    cluster: Cluster, *arguments: str, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(kubeconfig or cluster.kubeconfig)}
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


def deployed(kubectl: Kubectl, route: dict[str, Any]) -> None:
    """A route, and the Deployment of its router, which is not what is tested."""
    kubectl.apply(route)
    found = AnnotationRoute.from_wire(kubectl.get("annotationroute", route["metadata"]["name"]))
    container = {"name": "main", "image": "sealyard/router:test"}
    labels = {"a": "router"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": router_name(found)},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
    )


def a_user(cluster: Cluster, kubectl: Kubectl, folder: Path) -> Path:
    """Somebody who has the rights that the command says it needs, and no others."""
    rules = [
        ("sealyard.io", "annotationroutes", ["get"]),
        ("apps", "deployments", ["get"]),
        ("", "pods", ["create", "get", "delete"]),
        ("", "pods/log", ["get"]),
    ]
    kubectl("create", "serviceaccount", "looker")
    kubectl.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "looker"},
            "rules": [
                {"apiGroups": [group], "resources": [resource], "verbs": verbs}
                for group, resource, verbs in rules
            ],
        }
    )
    account = f"--serviceaccount={kubectl.namespace}:looker"
    kubectl("create", "rolebinding", "looker", "--role=looker", account)
    return account_kubeconfig(cluster, kubectl.namespace, "looker", folder)


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
    by_token = {"annotator": "ada@example.test", "role": "Validator", "identity": "jwt"}
    assert document["items"] == [by_token | {"items": 6}]
    assert [one["id"] for one in document["annotations"]] == [f"item-{n}" for n in range(6)]
    selector = "--selector=app.kubernetes.io/name=sealyard-report"
    assert kubectl.get("pods", "", selector)["items"] == []


def test_a_sheet_of_a_route(
    cluster: Cluster, namespace: str, kubectl: Kubectl, filed: Filed, tmp_path: Path
) -> None:
    route = of_kind("AnnotationRoute", "shop", a_route().document["spec"])
    kubectl.apply(claim("annotations"))
    deployed(kubectl, route)
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


def test_a_sheet_of_a_bucket_for_somebody_who_may_read_no_secret(
    cluster: Cluster, namespace: str, kubectl: Kubectl, filed: Filed, tmp_path: Path
) -> None:
    spec = a_route().in_bucket().document["spec"]
    page = tmp_path / "shop.html"
    arguments = ("annotations", "preview", "shop", f"--namespace={namespace}", f"--output={page}")
    with dataset_store(tmp_path / "store") as store:
        for key, content in filed.files.items():
            store.put(f"coins/{key}", content)
        place = {"uri": f"s3://{BUCKET}/coins", "endpoint": store.endpoint}
        deployed(
            kubectl,
            of_kind("AnnotationRoute", "shop", spec | {"storage": {"s3": S3_STORAGE | place}}),
        )
        looker = a_user(cluster, kubectl, tmp_path)
        key = {
            "dataset-access-key-id": store.reader.access_key_id,
            "dataset-secret-access-key": store.reader.secret_access_key,
        }
        kubectl.apply(
            of_core("Secret", "annotations-reader", stringData=key),
            of_core("ConfigMap", "storage-ca", data={"ca.crt": store.ca.ca_pem.decode()}),
        )
        done = sealyard(cluster, *arguments, kubeconfig=looker)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{page}\n", "")
        assert "6 of 6, the newest first" in page.read_text()
        assert kubectl.get("pods")["items"] == []

        kubectl("delete", "rolebinding", "looker")
        done = sealyard(cluster, *arguments, kubeconfig=looker)
        assert done.returncode == 77
        assert f"AnnotationRoute {namespace}/shop: refused" in done.stderr
