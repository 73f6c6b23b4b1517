"""Where small parts and manifests lie: SQLAlchemy Core over SQLite, one transaction a request.

What is acknowledged is on the disk (WAL, `synchronous=FULL`): a kill or a power cut loses nothing.
Writers take the lock when they begin, so that a rule sees what its write will replace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    create_engine,
    event,
    false,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from sealyard.errors import InvalidError, MissingError
from sealyard_release_api.releases import Release, Small

SCHEMA_VERSION = 1
_BUSY_SECONDS = 10
_WRITES = "sealyard_writes"

_metadata = MetaData()

_schema = Table("schema_version", _metadata, Column("version", Integer, primary_key=True))

_manifests = Table(
    "manifests",
    _metadata,
    Column("model", String(63), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)

_smalls = Table(
    "small_parts",
    _metadata,
    Column("model", String(63), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("variant", String(63), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("core_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", String(20), nullable=False),
    Column("written_by", String(254), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes as they were put, and their digest."""

    body: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and when (RFC 3339); kept beside what was written."""

    email: str
    at: str


class Transaction:
    """What can be read and written in one transaction; `Store` makes them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def manifest(self, release: Release) -> Blob | None:
        """The manifest, if it exists."""
        row = self._connection.execute(
            select(_manifests.c.body, _manifests.c.sha256).where(_is(_manifests, release))
        ).one_or_none()
        return Blob(row.body, row.sha256) if row else None

    def small(self, release: Release, variant: str) -> Blob | None:
        """The small part of a variant, if it is there."""
        row = self._connection.execute(
            select(_smalls.c.body, _smalls.c.sha256).where(
                _is(_smalls, release), _smalls.c.variant == variant
            )
        ).one_or_none()
        return Blob(row.body, row.sha256) if row else None

    def smalls(self, release: Release) -> dict[str, Small]:
        """The facts of all small parts of a release, by variant."""
        rows = self._connection.execute(select(_smalls).where(_is(_smalls, release)))
        return {row.variant: Small(row.sha256, row.core_sha256, len(row.body)) for row in rows}

    def add_manifest(self, release: Release, blob: Blob, author: Author) -> None:
        """Store a manifest where there is none."""
        self._connection.execute(
            insert(_manifests).values(
                model=release.model,
                version=release.version,
                sha256=blob.sha256,
                body=blob.body,
                written_at=author.at,
                written_by=author.email,
            )
        )

    def add_small(
        self, release: Release, variant: str, small: Small, body: bytes, author: Author
    ) -> None:
        """Store a small part where there is none."""
        self._connection.execute(
            insert(_smalls).values(
                model=release.model,
                version=release.version,
                variant=variant,
                **_small_values(small, body, author),
            )
        )

    def replace_small(
        self, release: Release, variant: str, small: Small, body: bytes, author: Author
    ) -> None:
        """Store a small part in the place of the one that is there."""
        self._connection.execute(
            update(_smalls)
            .where(_is(_smalls, release), _smalls.c.variant == variant)
            .values(**_small_values(small, body, author))
        )

    def releases(
        self, *, after: Release | None, patterns: Sequence[str], limit: int
    ) -> list[tuple[Release, str]]:
        """Releases with their manifest's digest, ordered by model and version as text.

        Args:
            after: begin behind this one; it need not exist.
            patterns: only models that one of these names (`User.models`).
            limit: at most so many.
        """
        query = select(_manifests.c.model, _manifests.c.version, _manifests.c.sha256)
        query = query.where(or_(false(), *(_model_matches(pattern) for pattern in patterns)))
        if after is not None:
            query = query.where(
                or_(
                    _manifests.c.model > after.model,
                    and_(_manifests.c.model == after.model, _manifests.c.version > after.version),
                )
            )
        query = query.order_by(_manifests.c.model, _manifests.c.version).limit(limit)
        return [
            (Release(row.model, row.version), row.sha256) for row in self._connection.execute(query)
        ]


class Store:
    """The database. Its methods block; call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, data_dir: Path) -> Store:
        """Open, or create, the database in a folder.

        Raises:
            MissingError: the folder cannot be made or written.
            InvalidError: the file is no database, or of a newer version of this program.
        """
        path = data_dir / "release-api.db"
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise MissingError(
                f"--data-dir: {data_dir} must be a folder that can be written: {error.strerror}"
            ) from None
        store = cls(_sqlite_engine(path))
        try:
            store._prepare()
        except DatabaseError as error:
            store.close()
            raise InvalidError(f"{path}: cannot be used as a database: {error.orig}") from None
        except InvalidError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Let go of the file. What was acknowledged is already on the disk."""
        self._engine.dispose()

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            with self.reading():
                return True
        except SQLAlchemyError:
            return False

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state of everything."""
        with self._engine.connect() as connection, connection.begin():
            connection.execute(select(_schema.c.version))
            yield Transaction(connection)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that no other writer overlaps; committed when the block ends well."""
        with self._begin_writing() as connection:
            yield Transaction(connection)

    @contextmanager
    def _begin_writing(self) -> Iterator[Connection]:
        connection = self._engine.connect().execution_options(**{_WRITES: True})
        with connection, connection.begin():
            yield connection

    def _prepare(self) -> None:
        with self._begin_writing() as connection:
            _metadata.create_all(connection)
            found = connection.execute(select(_schema.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(insert(_schema).values(version=SCHEMA_VERSION))
            elif found != SCHEMA_VERSION:
                raise InvalidError(
                    f"the database has schema version {found}, this program knows "
                    f"{SCHEMA_VERSION}: run the version of Sealyard that wrote it"
                )


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=8,
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


def _is(table: Table, release: Release) -> ColumnElement[bool]:
    return and_(table.c.model == release.model, table.c.version == release.version)


def _model_matches(pattern: str) -> ColumnElement[bool]:
    if pattern.endswith("*"):
        return _manifests.c.model.startswith(pattern[:-1], autoescape=True)
    return _manifests.c.model == pattern


def _small_values(small: Small, body: bytes, author: Author) -> dict[str, Any]:
    return {
        "sha256": small.sha256,
        "core_sha256": small.core_sha256,
        "body": body,
        "written_at": author.at,
        "written_by": author.email,
    }
