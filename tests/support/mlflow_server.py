"""A real MLflow server behind TLS, in an environment of its own: its pins conflict with ours."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sealyard.api.tasks import RemoteMlflow
from sealyard_local.pki import PrivateCA
from sealyard_local.ports import free_ports

REQUIREMENTS = ("mlflow[auth]==3.17.2", "setuptools", "tensorboard>=2.20,<3")
STARTING_SECONDS = 240
"""Its imports take ten seconds alone, more than a minute where many want the same cores."""
USER, PASSWORD = "weights-and-figures", "correct-horse-battery-staple"


def environment() -> Path:
    """The folder with the programs of an environment with `REQUIREMENTS`, made once."""
    content = "\n".join([*REQUIREMENTS, sys.version])
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sealyard/tests"
    base.mkdir(parents=True, exist_ok=True)
    folder = base / f"mlflow-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    uv = str(Path(sys.executable).with_name("uv"))
    with (base / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            making = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
            subprocess.run(making, check=True, cwd="/")
            python = str(folder / "bin/python")
            install = [uv, "pip", "install", "--quiet", "--python", python, *REQUIREMENTS]
            subprocess.run(install, check=True, cwd="/")
            (folder / ".ready").touch()
    return folder / "bin"


@dataclass(frozen=True)
class MlflowServer:
    """Where it is, and what a pod has mounted to reach it."""

    url: str
    secrets: Path
    ca: Path

    def remote(self, experiment: str) -> RemoteMlflow:
        """As a task names it."""
        return RemoteMlflow(
            uri=self.url,
            experiment=experiment,
            secret_name="mlflow",
            ca_bundle_name="mlflow-ca",
            image="registry.test/trainer:1",
        )

    def set_password(self, password: str) -> None:
        """What is mounted; the server's own stays."""
        (self.secrets / "tracking/mlflow-password").write_text(password + "\n")

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment."""
        found = self._ask("GET", "experiments/get-by-name", experiment_name=experiment)
        body = {"experiment_ids": [found["experiment"]["experiment_id"]]}
        runs: list[dict[str, Any]] = self._ask("POST", "runs/search", **body).get("runs", [])
        return runs

    def history(self, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
        """Step and value of everything that was said of a metric, by step."""
        which = {"run_id": run["info"]["run_id"], "metric_key": metric}
        points = self._ask("GET", "metrics/get-history", **which)["metrics"]
        return sorted((point.get("step", 0), point["value"]) for point in points)

    def _ask(self, method: str, path: str, **what: Any) -> Any:
        how = {"params": what} if method == "GET" else {"json": what}
        url = f"{self.url}/api/2.0/mlflow/{path}"
        with self._client() as client:
            return client.request(method, url, auth=(USER, PASSWORD), **how).json()

    def _client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca / "mlflow/ca.crt"))
        return httpx.Client(verify=context, trust_env=False, timeout=60)

    def wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Until it answers."""
        deadline = time.monotonic() + STARTING_SECONDS
        with self._client() as client:
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                try:
                    if client.get(f"{self.url}/health").is_success:
                        return
                except httpx.HTTPError:
                    time.sleep(0.2)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A server with a login, a database and a certificate of its own."""
    programs = environment()
    (port,) = free_ports(1)
    authority = PrivateCA.create("MLflow")
    authority.issue(dns_names=["localhost"], ips=["127.0.0.1"]).write(folder)
    server = MlflowServer(f"https://127.0.0.1:{port}", folder / "secrets", folder / "ca")
    (server.ca / "mlflow").mkdir(parents=True)
    (server.ca / "mlflow/ca.crt").write_bytes(authority.ca_pem)
    (server.secrets / "tracking").mkdir(parents=True)
    (server.secrets / "tracking/mlflow-username").write_text(USER)
    server.set_password(PASSWORD)
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = {USER}\nadmin_password = {PASSWORD}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    command = [
        *(str(programs / "mlflow"), "server", "--app-name", "basic-auth", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--uvicorn-opts", f"--ssl-keyfile={folder}/tls.key --ssl-certfile={folder}/tls.crt"),
    ]
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=variables, stdout=output, stderr=output, cwd=folder, start_new_session=True
        )
    try:
        server.wait(process, log)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
