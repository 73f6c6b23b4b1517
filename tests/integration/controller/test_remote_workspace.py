"""A run whose workspace lies in a store, with the operator and a real pod: no claim, any node."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sealyard_local.stores import secret
from support.dataset_store import BUCKET, dataset_store
from support.operator import Kubectl
from support.training import Run, run_manifest
from support.workspace_stores import PREFIX, SECRET_NAME, Workspaces

pytestmark = [pytest.mark.cluster, pytest.mark.stores]

DATA = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.mark.usefixtures("operator")
def test_its_pod_starts_without_a_claim_and_takes_the_folder(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    kubectl(
        "label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    (tmp_path / "store").mkdir()
    with dataset_store(tmp_path / "store") as server:
        workspaces = Workspaces.on(server, tmp_path / "mounts")
        bundle = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "stores-ca"},
            "data": {"ca.crt": server.ca.ca_pem.decode()},
        }
        store: dict[str, Any] = {
            "uri": f"s3://{BUCKET}/{PREFIX}",
            "endpoint": server.endpoint,
            "credentialsSecretRef": {"name": SECRET_NAME},
            "caBundleRef": {"name": "stores-ca"},
            "cacheSize": "1Gi",
        }
        dataset = {"persistentVolumeClaim": {"claimName": "data", "path": "coins"}}
        manifest = run_manifest("coins", dataset=dataset, workspace={"s3": store})
        kubectl.apply(DATA, bundle, manifest)
        run = Run(kubectl, "coins")
        said = run.wait_for_reason("InputMissing")["message"]
        assert f"Secret {SECRET_NAME} has no key workspace-access-key-id; add it" in said
        keys = {
            "workspace-access-key-id": server.writer.access_key_id.encode(),
            "workspace-secret-access-key": server.writer.secret_access_key.encode(),
        }
        kubectl.apply(secret(kubectl.namespace, SECRET_NAME, keys))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        kubectl("annotate", "trainingrun", "coins", f"sealyard.io/requestedAt={now}")
        wanted = "dataset: there is no folder coins in the dataset's volume yet"
        run.wait_for_message(wanted)
        [*_, job] = sorted(run.jobs(), key=lambda job: job["metadata"]["creationTimestamp"])
        uid = job["metadata"]["uid"]
        selector = f"--selector=batch.kubernetes.io/controller-uid={uid}"
        [pod] = kubectl.get("pods", "", selector)["items"]
        [folder] = {
            one["Key"].removeprefix(PREFIX).rpartition("/")[0]
            for one in server.client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]
            if one["Key"].endswith("/index.json")
        }
        assert folder.startswith(f"{kubectl.namespace}/coins-")
        assert workspaces.index(folder)["holder"] == pod["metadata"]["uid"]
