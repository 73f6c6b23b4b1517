"""The real release API as a process of its own, with TLS on a free port.

    with release_api_server(tmp_path, users=[publisher, verifier]) as api:
        httpx.Client(base_url=api.url, verify=api.ssl_context())

Other tests use it too (delivery, jobs): keep its face stable.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import httpx

from sealyard_local import release_api
from sealyard_local.pki import CertPair, PrivateCA
from sealyard_release_api.accounts import User, hash_password
from sealyard_release_api.database import Database, Postgres, Sqlite
from sealyard_release_api.roles import Role

ReleaseApi = release_api.ReleaseApi

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
    return release_api.prepare(
        directory,
        users=default_users() if users is None else users,
        tls=tls,
        ca=ca,
        arguments=arguments,
    )


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
    with release_api.running(api):
        yield api


def log_in(client: httpx.Client, email: str, password: str = PASSWORD) -> str:
    """A token."""
    answer = client.post("/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


@contextmanager
def connect(
    api: ReleaseApi,
    email: str | None = None,
    password: str = PASSWORD,
    *,
    kept_seconds: float = 1.0,
) -> Iterator[httpx.Client]:
    """A bare HTTP client of the server, logged in where an email is given.

    By default it lets go of an idle connection sooner than the server, which may close one just
    when the next request is on its way.
    """
    with httpx.Client(
        base_url=api.url,
        verify=api.ssl_context(),
        timeout=60,
        trust_env=False,
        limits=httpx.Limits(keepalive_expiry=kept_seconds),
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
