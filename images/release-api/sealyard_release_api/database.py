"""The two databases that the server knows: how to reach one, and how its writers take turns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from sealyard.errors import InvalidError, MissingError, SealyardError, UnavailableError

_POOL = 8
_BUSY_SECONDS = 10
_WRITES = "sealyard_writes"
_OLDEST_POSTGRES = 15
_URL_MAX_BYTES = 4096


class Database(Protocol):
    """A place for the tables."""

    def engine(self) -> Engine:
        """Connections to it. The first may be made later.

        Raises:
            MissingError: a file or folder that it needs is not there.
            InvalidError: a file that it needs is wrong.
        """
        ...

    def lock(self, connection: Connection, over: str) -> None:
        """Wait until no other transaction writes what is `over`; holds until this one ends."""
        ...

    def check(self, connection: Connection) -> None:
        """Whether what it answers will be on the disk.

        Raises:
            InvalidError: its settings do not promise that, or it is too old.
        """
        ...

    def explain(self, error: DatabaseError) -> SealyardError:
        """What it means that the database could not be opened."""
        ...


@dataclass(frozen=True, slots=True)
class Sqlite:
    """One file in a folder on this machine, for one server."""

    data_dir: Path

    @property
    def path(self) -> Path:
        """The database file."""
        return self.data_dir / "release-api.db"

    def engine(self) -> Engine:
        """WAL and `synchronous=FULL`: a kill or a power cut loses nothing that was committed."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise MissingError(
                f"--data-dir: {self.data_dir} must be a folder that can be written: "
                f"{error.strerror}"
            ) from None
        engine = create_engine(
            f"sqlite:///{self.path}",
            pool_size=_POOL,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": _BUSY_SECONDS},
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            # Transactions are begun below, not by the driver's guess at the first write.
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get(_WRITES, False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def lock(self, connection: Connection, over: str) -> None:
        """Nothing to do: `BEGIN IMMEDIATE` has the only lock there is."""

    def check(self, connection: Connection) -> None:
        """Nothing to ask: `engine` has set what matters."""

    def explain(self, error: DatabaseError) -> SealyardError:
        """Whatever is wrong with a file, no waiting mends it."""
        return InvalidError(f"{self.path}: cannot be used as a database: {error.orig}")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server, which several servers may share.

    Attributes:
        url_file: has the URL, password included; read for every new connection, so that a rotated
            password is used without a restart.
        ca_file: the CAs of which one must have signed the database's certificate, PEM.
    """

    url_file: Path
    ca_file: Path

    def engine(self) -> Engine:
        """Connections over TLS only, whose certificate and name are verified."""
        self._parameters()
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=_POOL,
            max_overflow=0,
            pool_timeout=_BUSY_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def lock(self, connection: Connection, over: str) -> None:
        """Writers of the same thing wait for each other, those of different things do not."""
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:over, 0))"), {"over": over}
        )

    def check(self, connection: Connection) -> None:
        """`fsync` and `synchronous_commit` are on, and the server is one that is tested."""
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10000
        if version < _OLDEST_POSTGRES:
            raise InvalidError(
                f"{self.url_file}: PostgreSQL {version}, must be {_OLDEST_POSTGRES} or newer"
            )
        for setting in ("fsync", "synchronous_commit"):
            if connection.exec_driver_sql(f"SHOW {setting}").scalar_one() == "off":
                raise InvalidError(
                    f"{self.url_file}: the database's {setting} is off, must be on: "
                    "it would lose what was acknowledged"
                )

    def explain(self, error: DatabaseError) -> SealyardError:
        """A server that does not answer may do so later; what it refuses to do stays refused."""
        # The text of libpq names host, port and user, never the password.
        said = " ".join(str(error.orig).split())[:300]
        kind = UnavailableError if isinstance(error, OperationalError) else InvalidError
        return kind(f"{self.url_file}: {said}")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**self._parameters())

    def _parameters(self) -> dict[str, Any]:
        try:
            with self.url_file.open("rb") as file:
                raw = file.read(_URL_MAX_BYTES + 1)
            self.ca_file.open("rb").close()
        except OSError as error:
            raise MissingError(f"{error.filename}: {error.strerror}") from None
        wrong = InvalidError(
            f"{self.url_file}: must be postgresql://user:password@host[:port]/database, "
            "without a query"
        )
        try:
            url = make_url(raw.decode().strip())
        except (ArgumentError, ValueError):
            raise wrong from None
        needed = (url.host, url.username, url.password, url.database)
        if (
            len(raw) > _URL_MAX_BYTES
            or url.drivername not in {"postgresql", "postgres"}
            or url.query
            or not all(needed)
            or "/" in str(url.host)
        ):
            raise wrong
        return {
            "host": url.host,
            "port": url.port or 5432,
            "user": url.username,
            "password": str(url.password),
            "dbname": url.database,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca_file),
            "gssencmode": "disable",
            "application_name": "sealyard-release-api",
            "connect_timeout": _BUSY_SECONDS,
            "keepalives_idle": _BUSY_SECONDS,
            "tcp_user_timeout": _BUSY_SECONDS * 1000,
            "options": f"-c statement_timeout={_BUSY_SECONDS}s -c lock_timeout={_BUSY_SECONDS}s",
        }


def reading_options(connection: Connection) -> Connection:
    """A connection whose transaction sees one state of everything."""
    if connection.dialect.name == "postgresql":
        return connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    return connection


def writing_options(connection: Connection) -> Connection:
    """A connection whose transaction writes."""
    return connection.execution_options(**{_WRITES: True})
