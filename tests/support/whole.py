"""The whole of Sealyard in one namespace of a real cluster: operator, stores, Secrets."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from sealyard_local import stores
from sealyard_local.cluster import Cluster
from sealyard_local.stores import Stores
from support.bystander import Bystander, processes_of
from support.operator import Kubectl, chart_values, install_crds, installed_chart, wait_for
from support.secret_search import secrets_of_private_key

RELEASED_SECONDS = 900

_PUBLIC = (".crt", "-email", "-username", "/identity-keys.json")
_HELM_RELEASE = "helm.sh/release.v1"
_KINDS = (
    "trainingruns,modelreleases,releasetargets,annotationroutes,jobs,pods,events,configmaps,"
    "deployments,replicasets,services,serviceaccounts,roles,rolebindings,persistentvolumeclaims,leases"
)


@dataclass(frozen=True)
class Whole:
    """A namespace with an operator that works in it, and two stores that its releases go to."""

    kubectl: Kubectl
    stores: Stores
    operator: str
    """The Deployment of the operator."""
    health_port: int
    directory: Path
    """Where the cluster's state lies."""
    bystander: Bystander

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

        # A training wants the processor that looking costs.
        return wait_for(ready, RELEASED_SECONDS, f"{kind} {name} to be Ready", pause=1.0)

    def wait_for_reason(self, kind: str, name: str, reason: str) -> str:
        """The message of Ready=False once it has this reason."""

        def look() -> dict[str, str] | None:
            # One look: a second one may find what comes next.
            found = self.condition(kind, name)
            return found if found.get("reason") == reason else None

        return wait_for(look, 240, f"{kind} {name}: {reason}")["message"]

    def kill_operator(self) -> None:
        """SIGKILL to the operator's process; its Deployment makes another pod.

        To delete the pod would not do: whatever grace is asked for, a kubelet begins with SIGTERM.
        """
        killed = 0
        for pid in processes_of(self.directory, "sealyard-operator"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        # Not the same pod again: it would be started later each time that it dies.
        selector = f"app.kubernetes.io/instance={self.operator}"
        self.kubectl("delete", "pods", "-l", selector, "--force", "--grace-period=0")
        assert killed, "no operator ran"

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

    def secrets(self) -> dict[str, bytes | str]:
        """Everything in use that opens something, by what it is called.

        Whatever a Secret of these namespaces holds, what the test alone has, and the tokens that
        pods were given.
        """
        found: dict[str, bytes | str] = {
            "the reader's password": self.stores.reader.password,
            **secrets_of_private_key("the CA's key", self.stores.ca.key_pem),
        }
        for namespace in self.namespaces:
            for one in self.kubectl.get("secrets", "", "-n", namespace)["items"]:
                if one["type"] != _HELM_RELEASE:
                    for key, value in one.get("data", {}).items():
                        name = f"{one['metadata']['name']}/{key}"
                        found |= _secrets_in(name, base64.b64decode(value))
        # Other tokens say the same in header and claims, and so does a certificate of our names.
        tokens = enumerate(token.rpartition(".")[2] for token in self.bystander.tokens)
        return found | {f"the signature of token {number}": text for number, text in tokens}

    def everything_said(self) -> Iterator[tuple[str, bytes]]:
        """All that a run shows and leaves behind, but for its Secrets; each with where it is."""
        for namespace in self.namespaces:
            shown = self.kubectl("get", _KINDS, "-n", namespace, "-o", "json")
            yield f"an object in {namespace}", shown.encode()
        for path in ("/metrics", "/healthz", "/readyz"):
            yield f"the operator's {path}", self._asked(path)
        yield from self.bystander.seen()
        for path in self.files():
            with contextlib.suppress(OSError):
                yield f"the file {path}", path.read_bytes()

    def files(self) -> Iterator[Path]:
        """Files in workspaces, in scratch folders of pods, and the logs of the cluster itself."""
        folders = (
            *("volumes", "logs", "node/run"),
            "node/kubelet/pods/*/volumes/kubernetes.io~empty-dir",
        )
        for pattern in folders:
            for folder in self.directory.glob(pattern):
                for path in folder.rglob("*"):
                    if path.is_file() and not path.is_symlink():
                        yield path

    @property
    def namespaces(self) -> tuple[str, str]:
        """The tenant's and the stores'."""
        return self.kubectl.namespace, stores.NAMESPACE

    def _asked(self, path: str) -> bytes:
        try:
            with urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=10) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            with error:
                return error.read()


def _secrets_in(name: str, value: bytes) -> dict[str, bytes | str]:
    """What is secret in the value of one key of a Secret.

    Raises:
        AssertionError: it is a document in which nothing is known to be secret.
    """
    if b"PRIVATE KEY" in value:
        return {**secrets_of_private_key(name, value)}
    if name.endswith(_PUBLIC):
        return {}
    if value.startswith(b"{"):
        found = dict(_secret_fields(name, json.loads(value)))
        assert found, f"{name}: where are its secrets?"
        return found
    return {name: value}


def _secret_fields(name: str, document: Any) -> Iterator[tuple[str, bytes | str]]:
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    for step, value in steps:
        where = f"{name}/{step}"
        if isinstance(value, dict | list):
            yield from _secret_fields(where, value)
        elif step in {"key", "seed"}:
            yield where, base64.b64decode(value)
            yield f"{where} in base64", value
        elif step == "passwordHash":
            # What stands before it, all hashes have.
            yield where, value.rpartition("$")[2]
        elif step in {"accessKey", "secretKey"}:
            yield where, value


@contextmanager
def whole_sealyard(cluster: Cluster, namespace: str) -> Iterator[Whole]:
    """Installs everything into a namespace that is there already."""
    install_crds(cluster)
    kubectl = Kubectl(cluster, namespace)
    made = Stores.new()
    objects = [*made.manifests(), *made.tenant_manifests(namespace)]
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    images = {
        name: f"sealyard/{name}:0.1.0" for name in ("trainer", "exporter", "courier", "router")
    }
    values = chart_values(namespace, images)
    with (
        Bystander(cluster.directory) as bystander,
        installed_chart(cluster, namespace, values) as operator,
    ):
        for name in ("release-api", "cdn"):
            rollout = ("rollout", "status", f"deployment/{name}", "--timeout=50s")
            kubectl(*rollout, "-n", stores.NAMESPACE)
        yield Whole(kubectl, made, operator, values["health"]["port"], cluster.directory, bystander)
    # Waited for: whoever installs it again on this cluster would meet it going away.
    kubectl("delete", "namespace", stores.NAMESPACE, "--timeout=120s")
