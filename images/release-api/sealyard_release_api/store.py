"""What is kept: SQLAlchemy Core over SQLite or PostgreSQL, one transaction a request.

What is acknowledged is on the disk: a kill or a power cut loses nothing. Writers take their lock
when they begin, so that a rule sees what its write will replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, false, insert, or_, select, update
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from sealyard.errors import SealyardError
from sealyard_release_api.database import Database, reading_options, writing_options
from sealyard_release_api.releases import Release, Small
from sealyard_release_api.schema import MANIFESTS, SCHEMA, SMALLS, migrate


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
        self.connection = connection

    def manifest(self, release: Release) -> Blob | None:
        """The manifest, if it exists."""
        row = self.connection.execute(
            select(MANIFESTS.c.body, MANIFESTS.c.sha256).where(_is(MANIFESTS, release))
        ).one_or_none()
        return Blob(row.body, row.sha256) if row else None

    def small(self, release: Release, variant: str) -> Blob | None:
        """The small part of a variant, if it is there."""
        row = self.connection.execute(
            select(SMALLS.c.body, SMALLS.c.sha256).where(
                _is(SMALLS, release), SMALLS.c.variant == variant
            )
        ).one_or_none()
        return Blob(row.body, row.sha256) if row else None

    def smalls(self, release: Release) -> dict[str, Small]:
        """The facts of all small parts of a release, by variant."""
        rows = self.connection.execute(select(SMALLS).where(_is(SMALLS, release)))
        return {row.variant: Small(row.sha256, row.core_sha256, len(row.body)) for row in rows}

    def add_manifest(self, release: Release, blob: Blob, author: Author) -> None:
        """Store a manifest where there is none."""
        self.connection.execute(
            insert(MANIFESTS).values(
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
        self.connection.execute(
            insert(SMALLS).values(
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
        self.connection.execute(
            update(SMALLS)
            .where(_is(SMALLS, release), SMALLS.c.variant == variant)
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
        query = select(MANIFESTS.c.model, MANIFESTS.c.version, MANIFESTS.c.sha256)
        query = query.where(covered(MANIFESTS, patterns))
        if after is not None:
            query = query.where(
                or_(
                    MANIFESTS.c.model > after.model,
                    and_(MANIFESTS.c.model == after.model, MANIFESTS.c.version > after.version),
                )
            )
        query = query.order_by(MANIFESTS.c.model, MANIFESTS.c.version).limit(limit)
        return [
            (Release(row.model, row.version), row.sha256) for row in self.connection.execute(query)
        ]


class Store:
    """The database. Its methods block; call them from a thread."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    @classmethod
    def open(cls, database: Database) -> Store:
        """Open a database, and bring its tables to the schema of this program.

        Raises:
            MissingError: a file or folder that it needs is not there.
            InvalidError: it is no database, of a newer version of this program, or its settings
                lose what was acknowledged.
            UnavailableError: its server cannot be reached.
        """
        store = cls(database, database.engine())
        try:
            with store._begin_writing("schema") as connection:
                database.check(connection)
                migrate(connection)
        except DatabaseError as error:
            store.close()
            raise database.explain(error) from None
        except SealyardError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Let go of the connections. What was acknowledged is already on the disk."""
        self._engine.dispose()

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            with self.reading() as transaction:
                transaction.connection.execute(select(SCHEMA.c.version)).one()
        except (SQLAlchemyError, SealyardError):
            return False
        return True

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state of everything."""
        with reading_options(self._engine.connect()) as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def writing(self, over: str) -> Iterator[Transaction]:
        """A transaction that no other writer of what is `over` overlaps.

        Committed when the block ends well.
        """
        with self._begin_writing(over) as connection:
            yield Transaction(connection)

    @contextmanager
    def _begin_writing(self, over: str) -> Iterator[Connection]:
        with writing_options(self._engine.connect()) as connection, connection.begin():
            self._database.lock(connection, over)
            yield connection


def _is(table: Table, release: Release) -> ColumnElement[bool]:
    return and_(table.c.model == release.model, table.c.version == release.version)


def covered(table: Table, patterns: Sequence[str]) -> ColumnElement[bool]:
    """Whether one of the patterns names the row's model (`Principal.covers`)."""
    return or_(false(), *(_model_matches(table, pattern) for pattern in patterns))


def _model_matches(table: Table, pattern: str) -> ColumnElement[bool]:
    if pattern.endswith("*"):
        return table.c.model.startswith(pattern[:-1], autoescape=True)
    return table.c.model == pattern


def _small_values(small: Small, body: bytes, author: Author) -> dict[str, Any]:
    return {
        "sha256": small.sha256,
        "core_sha256": small.core_sha256,
        "body": body,
        "written_at": author.at,
        "written_by": author.email,
    }
