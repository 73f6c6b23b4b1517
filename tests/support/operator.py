"""The operator on a real cluster: as a process of the test's, or as a pod by its chart.

Both run with the rights that the chart grants, in one namespace, on free ports; so tests can
run beside each other on one cluster.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TextIO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import helm_python as helm
import yaml

from sealyard_local.pki import PrivateCA
from sealyard_local.ports import free_ports
from sealyard_local.processes import die_with_parent

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "charts" / "sealyard"
CRDS = REPOSITORY / "crds"
IMAGES = {
    "trainer": "sealyard/trainer:test",
    "exporter": "sealyard/exporter:test",
    "courier": "sealyard/courier:test",
    "router": "sealyard/router:test",
}

T = TypeVar("T")


class Cluster(Protocol):
    """What is needed of the embedded cluster."""

    @property
    def binary(self) -> Path: ...
    @property
    def kubeconfig(self) -> Path: ...
    def environment(self) -> dict[str, str]: ...


def wait_for(
    look: Callable[[], T | None], seconds: float = 120.0, what: str = "", *, pause: float = 0.02
) -> T:
    """The first thing that `look` finds.

    Args:
        look: a kubectl, mostly, which costs a third of a second of a processor.
        seconds: how long it is looked for.
        what: the failure's words.
        pause: between two looks; longer where what is waited for takes long, and stays.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or look!r} did not come within {seconds} s")
        time.sleep(pause)


class Kubectl:
    """kubectl on one namespace.

    Args:
        cluster: which cluster.
        namespace: where it works, unless a command says otherwise.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._command = [str(cluster.binary), "kubectl", f"--namespace={namespace}"]
        self._environment = cluster.environment()
        self.namespace = namespace

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Whatever comes of it."""
        return subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def __call__(self, *arguments: str, text: str | None = None) -> str:
        """What it prints; it must go well."""
        done = self.run(*arguments, text=text)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    @contextmanager
    def watching(self, *arguments: str) -> Iterator[Callable[[], list[str]]]:
        """kubectl in the background, which a test ends; gives what it has printed so far."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [*self._command, *arguments], env=self._environment, stdout=output
            )
            try:
                yield lambda: _lines(output)
            finally:
                process.terminate()
                process.wait(timeout=10)

    @contextmanager
    def changes(self, *collections: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """The watch events of collections of this namespace, none missed from here on.

        Args:
            collections: such as `batch/v1/jobs`.
        """
        with ExitStack() as stack:
            watches = []
            for collection in collections:
                version, _, plural = collection.rpartition("/")
                path = f"/apis/{version}/namespaces/{self.namespace}/{plural}"
                listed = json.loads(self("get", "--raw", path))["metadata"]["resourceVersion"]
                watch = f"{path}?watch=true&resourceVersion={listed}"
                watches.append(stack.enter_context(self.watching("get", "--raw", watch)))
            yield lambda: [json.loads(line) for seen in watches for line in seen() if line]

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests."""
        several = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self("apply", "-f", "-", text=json.dumps(several))

    def get(self, kind: str, name: str = "", *flags: str) -> dict[str, Any]:
        """An object, or a list of all of them."""
        found: dict[str, Any] = json.loads(
            self("get", kind, *([name] if name else []), *flags, "-o", "json")
        )
        return found


def _lines(file: TextIO) -> list[str]:
    file.seek(0)
    return file.read().splitlines()


def install_crds(cluster: Cluster) -> None:
    """The kinds, as a user installs them. Doing it twice is harmless."""
    kubectl = Kubectl(cluster, "default")
    kubectl("apply", "--server-side", "-f", str(CRDS))
    kubectl("wait", "--for=condition=Established", "-f", str(CRDS), "--timeout=120s")


def release_name(namespace: str) -> str:
    """The name of the operator that works in this namespace, and of all that belongs to it."""
    return f"sealyard-{namespace[-40:].lstrip('-')}"


def chart_values(namespace: str, images: Mapping[str, str] = IMAGES) -> dict[str, Any]:
    """Values for a cluster without a Service network, on free ports of this machine."""
    progress, health = free_ports(2)
    return {
        "watchNamespaces": [namespace],
        "images": dict(images),
        "progress": {
            "port": progress,
            "url": f"https://127.0.0.1:{progress}",
            "tls": {"ips": ["127.0.0.1"]},
        },
        "health": {"port": health},
        "jobs": {"imagePullPolicy": "IfNotPresent"},
    }


@contextmanager
def installed_chart(
    cluster: Cluster, namespace: str, values: dict[str, Any], *, seconds: int = 120
) -> Iterator[str]:
    """The operator as a pod by its chart, ready. Gives the name of its Deployment."""
    name = release_name(namespace)
    with helm.Config(kubeconfig_path=cluster.kubeconfig, namespace=namespace) as config:
        try:
            config.install(
                CHART, name, values, namespace=namespace, wait="watcher", timeout=seconds
            )
            yield name
        except helm.HelmError as error:
            kubectl = Kubectl(cluster, namespace)
            error.add_note(kubectl.run("describe", "pods").stdout)
            error.add_note(kubectl.run("logs", f"deployment/{name}").stdout)
            raise
        finally:
            config.uninstall(name)


@contextmanager
def installed_admission(cluster: Cluster, namespace: str) -> Iterator[None]:
    """The chart's admission policies alone, for one namespace. They need a moment to act."""
    with helm.Chart.load(CHART) as chart:
        values = {"watchNamespaces": [namespace]}
        files = chart.render(values, name=release_name(namespace), namespace=namespace)
    [policies] = [text for path, text in files.items() if path.endswith("admission.yaml")]
    kubectl = Kubectl(cluster, namespace)
    kubectl("apply", "-f", "-", text=policies)
    try:
        yield
    finally:
        kubectl("delete", "-f", "-", text=policies)


def grant_rights(cluster: Cluster, namespace: str, *, everywhere: bool = False) -> str:
    """The chart's service account and roles alone. Gives the account's name.

    Args:
        cluster: where.
        namespace: that of the account, and the only one that it has rights in.
        everywhere: it has rights in all of them.
    """
    name = release_name(namespace)
    values = {"watchNamespaces": [] if everywhere else [namespace]}
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace=namespace)
    rights = "\n---\n".join(
        text for path, text in files.items() if path.endswith(("serviceaccount.yaml", "rbac.yaml"))
    )
    Kubectl(cluster, namespace)("apply", "-f", "-", text=rights)
    return name


def account_kubeconfig(cluster: Cluster, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig with nothing but a token of this service account."""
    token = Kubectl(cluster, namespace)("create", "token", account, "--duration=2h").strip()
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    current = next(
        one["context"] for one in document["contexts"] if one["name"] == document["current-context"]
    )
    document["users"] = [{"name": current["user"], "user": {"token": token}}]
    path = folder / f"{account}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return path


@dataclass
class Endpoint:
    """Where a progress endpoint listens, and the CA that its certificate verifies against."""

    url: str
    ca_file: Path

    def post(self, report: Any, token: str, path: str = "/v1/progress") -> int:
        """The status that a report is answered with.

        Raises:
            urllib.error.URLError: no connection, or none that verifies.
        """
        request = Request(  # noqa: S310 - our own endpoint
            f"{self.url}{path}",
            data=json.dumps(report).encode(),
            headers={"Authorization": f"Bearer {token}"},
        )
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            with urlopen(request, timeout=20, context=context) as answer:  # noqa: S310 - as above
                status: int = answer.status
                return status
        except HTTPError as error:
            with error:
                return error.code


class OperatorProcess:
    """`sealyard-operator` as a process. Use it as a context manager.

    Args:
        folder: where its configuration, certificate and log lie.
        kubeconfig: the way to the API server, and the rights there.
        namespace: the one that it works in.
    """

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str) -> None:
        self._kubeconfig = kubeconfig
        progress, self._health = free_ports(2)
        authority = PrivateCA.create("test")
        authority.issue(ips=["127.0.0.1"]).write(folder)
        ca_file = folder / "ca.crt"
        ca_file.write_bytes(authority.ca_pem)
        self.endpoint = Endpoint(f"https://127.0.0.1:{progress}", ca_file)
        self._config = folder / "config.yaml"
        self._config.write_text(
            yaml.safe_dump(
                {
                    "watchNamespaces": [namespace],
                    "images": IMAGES,
                    "health": {"host": "127.0.0.1", "port": self._health},
                    "progress": {
                        "url": self.endpoint.url,
                        "host": "127.0.0.1",
                        "port": progress,
                        "certificateFile": str(folder / "tls.crt"),
                        "privateKeyFile": str(folder / "tls.key"),
                        "caFile": str(ca_file),
                    },
                }
            )
        )
        self._log = folder / "operator.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGTERM)
        sys.stdout.write(self.log)

    def start(self) -> None:
        """Start it, and wait until it has seen the cluster; one that does not is ended."""
        environment = {"KUBECONFIG": str(self._kubeconfig), "PATH": os.environ["PATH"]}
        program = Path(sys.executable).with_name("sealyard-operator")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "--config", self._config],
                env=environment,
                stderr=log,
                stdout=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )
        try:
            wait_for(self._is_ready, what="readiness")
        except BaseException as error:
            self._process.kill()
            self._process.wait()
            self._process = None
            error.add_note(self.log)
            raise

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended while starting"
        return self.asked("/readyz") == 200

    def end(self, how: signal.Signals) -> int:
        """Send it a signal, and wait for its end. Gives its exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(timeout=40)
        self._process = None
        return code

    def asked(self, path: str) -> int:
        """The status that the health port answers with; 0 for none."""
        try:
            with urlopen(f"http://127.0.0.1:{self._health}{path}", timeout=5) as answer:
                status: int = answer.status
                return status
        except (URLError, OSError):
            return 0

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text() if self._log.exists() else ""
