"""The release API as a process of its own, with TLS, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.processes import die_with_parent
from sealyard_release_api.accounts import NewUser, User, users_document
from sealyard_release_api.tokens import new_key_set

START_SECONDS = 120
STOP_SECONDS = 60


@dataclass
class ReleaseApi:
    """A server. `start`, `stop` and `kill` may be called in any order; it ends with its parent.

    Attributes:
        directory: a folder of its own, as `prepare` makes it.
        ca: what its certificate verifies against.
        arguments: more flags for `serve`.
        port: where it listens; a free one is found at the first start.
        process: while it runs, and after it ended.
    """

    directory: Path
    ca: PrivateCA
    arguments: Sequence[str] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _starts: int = field(default=0, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_path(self) -> Path:
        """The certificate of its authority."""
        return self.directory / "ca.crt"

    @property
    def secrets_dir(self) -> Path:
        """Its Secret: users, keys of tokens, certificate."""
        return self.directory / "secrets"

    @property
    def data_dir(self) -> Path:
        """Its database."""
        return self.directory / "data"

    def ssl_context(self) -> ssl.SSLContext:
        """What a client verifies it with."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def write_users(self, users: Sequence[User | NewUser]) -> None:
        """Replace its accounts."""
        (self.secrets_dir / "users.json").write_text(users_document(users))

    def start(self) -> None:
        """Start the process and wait until it listens; a second start takes the first one's port.

        Raises:
            RuntimeError: it ended, or does not listen in time; with its output.
        """
        self._starts += 1
        log = self._log_path()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "sealyard_release_api.main", "serve"),
                    *("--host", "127.0.0.1", "--port", str(self.port), "--metrics-port", "0"),
                    *("--data-dir", str(self.data_dir), "--secrets-dir", str(self.secrets_dir)),
                    *self.arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
                env=environment,
            )
        line = self.wait_for_line(lambda line: line.get("message") == "listening")
        self.port = line["port"]

    def metrics(self) -> str:
        """What Prometheus would read now."""
        line = self.wait_for_line(lambda line: line.get("message") == "serving metrics")
        return httpx.get(f"http://127.0.0.1:{line['port']}/metrics", trust_env=False).text

    def stop(self) -> int:
        """SIGTERM, and the exit code.

        Raises:
            RuntimeError: it was never started.
        """
        if self.process is None:
            raise RuntimeError("the release API was never started")
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def log_text(self) -> str:
        """Everything the current process has written to stdout and stderr."""
        return self._log_path().read_text()

    def log_lines(self) -> list[dict[str, Any]]:
        """The JSON lines among it."""
        complete = self.log_text().split("\n")[:-1]
        return [json.loads(line) for line in complete if line.startswith("{")]

    def wait_for_line(
        self, wanted: Callable[[dict[str, Any]], bool], *, seconds: float = START_SECONDS
    ) -> dict[str, Any]:
        """The first log line that is wanted.

        Raises:
            RuntimeError: it does not come; with the log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if wanted(line):
                    return line
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the release API did not log what was awaited:\n{self.log_text()}")

    def _log_path(self) -> Path:
        return self.directory / f"release-api-{self._starts}.log"


def prepare(
    directory: Path,
    *,
    users: Sequence[User | NewUser],
    tls: CertPair | None = None,
    ca: PrivateCA | None = None,
    arguments: Sequence[str] = (),
) -> ReleaseApi:
    """The folders and the Secret of a server that is not started yet.

    Args:
        directory: a folder of its own, such as `tmp_path / "api"`.
        users: its accounts.
        tls: the server's certificate, to try a wrong one; else one of `ca` for 127.0.0.1.
        ca: what clients trust; a new one if not given.
        arguments: more flags for `serve`.
    """
    authority = ca or PrivateCA.create()
    api = ReleaseApi(directory, authority, arguments)
    api.secrets_dir.mkdir(parents=True)
    api.ca_path.write_bytes(authority.ca_pem)
    pair = tls or authority.issue(dns_names=["localhost"], ips=["127.0.0.1"])
    pair.write(api.secrets_dir)
    (api.secrets_dir / "jwt-keys.json").write_text(new_key_set())
    api.write_users(users)
    return api


@contextmanager
def running(api: ReleaseApi) -> Iterator[ReleaseApi]:
    """The server, started, and killed at the end."""
    try:
        api.start()
        yield api
    finally:
        api.kill()
