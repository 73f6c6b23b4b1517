"""The whole of Sealyard in one namespace of a real cluster: operator, stores, Secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealyard_local import stores
from sealyard_local.cluster import Cluster
from sealyard_local.stores import Stores
from support.operator import Kubectl, chart_values, install_crds, installed_chart, wait_for

RELEASED_SECONDS = 900


@dataclass(frozen=True)
class Whole:
    """A namespace with an operator that works in it, and two stores that its releases go to."""

    kubectl: Kubectl
    stores: Stores
    operator: str
    """The Deployment of the operator."""

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """The status of an object, empty before there is one."""
        found: dict[str, Any] = self.kubectl.get(kind, name).get("status", {})
        return found

    def condition(self, kind: str, name: str, of_type: str = "Ready") -> dict[str, str]:
        """One condition of an object, empty before there is one."""
        conditions = self.status(kind, name).get("conditions", [])
        return next((one for one in conditions if one["type"] == of_type), {})

    def wait_until_ready(self, kind: str, name: str) -> dict[str, Any]:
        """The status once the object is Ready; at once a failure if it is Stalled."""

        def ready() -> dict[str, Any] | None:
            status = self.status(kind, name)
            values = {one["type"]: one for one in status.get("conditions", [])}
            stalled = values.get("Stalled", {})
            assert stalled.get("status") != "True", f"{kind} {name}: {stalled}"
            return status if values.get("Ready", {}).get("status") == "True" else None

        return wait_for(ready, RELEASED_SECONDS, f"{kind} {name} to be Ready")

    def wait_for_reason(self, kind: str, name: str, reason: str) -> str:
        """The message of Ready=False once it has this reason."""

        def look() -> dict[str, str] | None:
            # One look: a second one may find what comes next.
            found = self.condition(kind, name)
            return found if found.get("reason") == reason else None

        return wait_for(look, 240, f"{kind} {name}: {reason}")["message"]

    def kill_operator(self) -> None:
        """SIGKILL to the operator's pod; its Deployment makes another."""
        selector = f"app.kubernetes.io/instance={self.operator}"
        self.kubectl("delete", "pods", "-l", selector, "--force", "--grace-period=0")

    def pull(self, folder: Path, model: str, version: str) -> subprocess.CompletedProcess[str]:
        """`sealyard pull` with the third login and the read-only credential."""
        credentials = folder / "reader"
        self.stores.write_reader_credentials(credentials)
        ca = str(credentials / "ca.crt")
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("sealyard")),
                *("pull", model, version, "--json"),
                *("--api", self.stores.api_url, "--api-ca", ca),
                *("--cdn", self.stores.cdn_endpoint, "--cdn-ca", ca, "--bucket", stores.BUCKET),
                *("--secrets-dir", str(credentials)),
                *("--keyring", str(credentials / "keyring.json")),
                *("--output", str(folder / "model.onnx")),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def everything_said(self) -> str:
        """All that the cluster shows of this namespace but its Secrets, and all pods' logs."""
        kinds = "trainingruns,modelreleases,releasetargets,jobs,pods,events,configmaps"
        pods = [pod["metadata"]["name"] for pod in self.kubectl.get("pods")["items"]]
        logs = [self.kubectl.run("logs", pod).stdout for pod in pods]
        return "\n".join([json.dumps(self.kubectl.get(kinds)), *logs])


@contextmanager
def whole_sealyard(cluster: Cluster, namespace: str) -> Iterator[Whole]:
    """Installs everything into a namespace that is there already."""
    install_crds(cluster)
    kubectl = Kubectl(cluster, namespace)
    made = Stores.new()
    objects = [*made.manifests(), *made.tenant_manifests(namespace)]
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    images = {name: f"sealyard/{name}:0.1.0" for name in ("trainer", "exporter", "courier")}
    with installed_chart(cluster, namespace, chart_values(namespace, images)) as operator:
        for name in ("release-api", "cdn"):
            rollout = ("rollout", "status", f"deployment/{name}", "--timeout=50s")
            kubectl(*rollout, "-n", stores.NAMESPACE)
        yield Whole(kubectl, made, operator)
    kubectl("delete", "namespace", stores.NAMESPACE, "--wait=false")
