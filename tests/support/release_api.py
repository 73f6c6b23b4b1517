"""The real release API as a process of its own, with TLS on a free port.

    with release_api_server(tmp_path, users=[publisher, verifier]) as api:
        httpx.Client(base_url=api.url, verify=api.ssl_context())

Other tests use it too (delivery, jobs): keep its face stable.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.processes import die_with_parent
from sealyard_release_api.accounts import Role, User, hash_password, users_document
from sealyard_release_api.database import Database, Postgres, Sqlite
from sealyard_release_api.tokens import new_key_set

START_SECONDS = 120
STOP_SECONDS = 60

PASSWORD = "correct horse battery staple"


@cache
def password_hash(password: str = PASSWORD) -> str:
    """Hashing costs tens of milliseconds, so each password is hashed once per test process."""
    return hash_password(password)


def user(
    email: str, role: Role, *, models: Sequence[str] = ("*",), password: str = PASSWORD
) -> User:
    return User(email=email, role=role, models=tuple(models), password_hash=password_hash(password))


PUBLISHER = "publisher@example.org"
VERIFIER = "verifier@example.org"
ADMIN = "admin@example.org"


def default_users() -> list[User]:
    """One publisher and one verifier of every model, and an admin, all with `PASSWORD`."""
    return [
        user(PUBLISHER, Role.PUBLISHER),
        user(VERIFIER, Role.VERIFIER),
        user(ADMIN, Role.ADMIN, models=()),
    ]


@dataclass
class ReleaseApi:
    """A running server. `stop`, `kill` and `start` may be called in any order."""

    directory: Path
    ca: PrivateCA
    arguments: Sequence[str] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _starts: int = field(default=0, repr=False)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_path(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def secrets_dir(self) -> Path:
        return self.directory / "secrets"

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def ssl_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_path))

    def write_users(self, users: Sequence[User]) -> None:
        (self.secrets_dir / "users.json").write_text(users_document(users))

    def start(self) -> None:
        """Start the process; the second start takes the port of the first."""
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
        """SIGTERM, and the exit code."""
        assert self.process is not None
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
        """The first log line that is wanted; fails with the log when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if wanted(line):
                    return line
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the release API did not log what was awaited:\n{self.log_text()}")

    def _log_path(self) -> Path:
        return self.directory / f"release-api-{self._starts}.log"


def database_flags(database: Database) -> tuple[str, ...]:
    """The flags of `serve` for a database; the last of a flag wins."""
    if isinstance(database, Postgres):
        return (
            f"--database-url-file={database.url_file}",
            f"--database-ca-file={database.ca_file}",
        )
    assert isinstance(database, Sqlite)
    return (f"--data-dir={database.data_dir}",)


def prepare(
    directory: Path,
    *,
    users: Sequence[User] | None = None,
    tls: CertPair | None = None,
    ca: PrivateCA | None = None,
    arguments: Sequence[str] = (),
) -> ReleaseApi:
    """The folders and the Secret of a server that is not started yet.

    Args:
        directory: a folder of its own, such as `tmp_path / "api"`.
        users: `default_users()` if not given.
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
    api.write_users(default_users() if users is None else users)
    return api


@contextmanager
def release_api_server(
    directory: Path,
    *,
    users: Sequence[User] | None = None,
    tls: CertPair | None = None,
    ca: PrivateCA | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[ReleaseApi]:
    """A server that listens, stopped at the end. The arguments are those of `prepare`."""
    api = prepare(directory / "release-api", users=users, tls=tls, ca=ca, arguments=arguments)
    try:
        api.start()
        yield api
    finally:
        api.kill()


def log_in(client: httpx.Client, email: str, password: str = PASSWORD) -> str:
    """A token."""
    answer = client.post("/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


@contextmanager
def connect(
    api: ReleaseApi, email: str | None = None, password: str = PASSWORD
) -> Iterator[httpx.Client]:
    """A bare HTTP client of the server, logged in where an email is given."""
    with httpx.Client(
        base_url=api.url, verify=api.ssl_context(), timeout=60, trust_env=False
    ) as client:
        if email is not None:
            client.headers["Authorization"] = f"Bearer {log_in(client, email, password)}"
        yield client


@contextmanager
def encrypted(api: ReleaseApi) -> Iterator[ssl.SSLSocket]:
    """A TLS connection on which nothing has been said yet."""
    with (
        socket.create_connection(("127.0.0.1", api.port), timeout=60) as plain,
        api.ssl_context().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def raw_request(api: ReleaseApi, text: str) -> tuple[int, bytes]:
    """Send bytes as they are, and read until the server closes."""
    with encrypted(api) as connection:
        connection.sendall(text.encode())
        received = bytearray()
        with suppress(ssl.SSLEOFError, ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body
