"""A run whose dataset lies in a store, with the operator and a real pod: what its user is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sealyard_local.stores import secret
from support.dataset_store import BUCKET, SECRET_NAME, DatasetStore, dataset_store
from support.operator import Kubectl
from support.training import Run, run_manifest

pytestmark = [pytest.mark.cluster, pytest.mark.stores]

DATA_YAML = b"train: images/train\nval: images/val\nnames: [coin]\n"


def claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def try_again(kubectl: Kubectl) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kubectl("annotate", "--overwrite", "trainingrun", "coins", f"sealyard.io/requestedAt={now}")


@pytest.mark.usefixtures("operator")
def test_what_is_missing_is_named_and_then_what_is_wrong(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl(
        "label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    (tmp_path / "store").mkdir()
    with dataset_store(tmp_path / "store") as store:
        store.put("coins/data.yaml", DATA_YAML)
        for split in ("train", "val"):
            store.put(f"coins/images/{split}/a.jpg", b"no picture")
        wanted, bundle = mounted(store, kubectl.namespace)
        kubectl.apply(claim("work"), bundle, run_manifest("coins", dataset=dataset(store)))
        run = Run(kubectl, "coins")
        said = run.wait_for_reason("InputMissing")["message"]
        assert f"Secret {SECRET_NAME} has no key dataset-access-key-id; add it" in said
        kubectl.apply(wanted)
        try_again(kubectl)
        said = run.wait_for_reason("InvalidInput", "Stalled")["message"]
        assert "dataset: images/train/a.jpg: not a picture" in said
        assert run.status["attempts"] == 2


def dataset(store: DatasetStore) -> dict[str, Any]:
    source = {
        "uri": f"s3://{BUCKET}/coins",
        "endpoint": store.endpoint,
        "credentialsSecretRef": {"name": SECRET_NAME},
        "caBundleRef": {"name": "stores-ca"},
    }
    return {"s3": source}


def mounted(store: DatasetStore, namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Secret and the CA bundle that the run names."""
    keys = {
        "dataset-access-key-id": store.reader.access_key_id.encode(),
        "dataset-secret-access-key": store.reader.secret_access_key.encode(),
    }
    bundle = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stores-ca", "namespace": namespace},
        "data": {"ca.crt": store.ca.ca_pem.decode()},
    }
    return secret(namespace, SECRET_NAME, keys), bundle
